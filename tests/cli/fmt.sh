#!/bin/sh
# Formatting in place: what is laid out already is not touched, errors change nothing, links and permissions stay.
. "$SOURCE/tests/cli/lib.sh"
printf 'let  a=1\n' >a.nn
printf 'let b = 2\n' >b.nn
chmod 640 a.nn
ln -s a.nn link.nn
[ "$("$NNC" fmt --check a.nn b.nn)" = a.nn ] || fail "--check does not name a.nn alone"
"$NNC" fmt --check a.nn >/dev/null
[ $? = 1 ] || fail "exit status of --check where a file would change"
[ "$(cat a.nn)" = 'let  a=1' ] || fail "--check writes"
before=$(stat -c '%i %Y %Z' b.nn)
"$NNC" fmt link.nn b.nn || fail "fmt"
[ "$(cat a.nn)" = 'let a = 1' ] || fail "a.nn is not formatted"
[ -L link.nn ] || fail "the link is gone"
[ "$(stat -c %a a.nn)" = 640 ] || fail "other permissions"
[ "$(stat -c '%i %Y %Z' b.nn)" = "$before" ] || fail "b.nn is touched"
[ -z "$("$NNC" fmt --check a.nn b.nn)" ] || fail "--check after fmt"
printf 'let  a=1\nlet b = = 2\n' >error.nn
expect_error 1 "error.nn:2:9" "$NNC" fmt error.nn
[ "$(head -n 1 error.nn)" = 'let  a=1' ] || fail "a file with an error is changed"
expect_error 1 "absent.nn" "$NNC" fmt absent.nn
expect_error 2 "needs a file" "$NNC" fmt
[ "$(ls | tr '\n' ' ')" = 'a.nn b.nn err.txt error.nn link.nn out.txt ' ] || fail "something is left behind: $(ls)"
finish
