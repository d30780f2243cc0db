#!/bin/sh
# Data sets from text, pictures and sound; pictures and text as arguments and results of `nnc run`.
. "$SOURCE/tests/cli/lib.sh"

# expect WANT COMMAND...: what the command prints.
expect() {
    want=$1
    shift
    got=$("$@" 2>err.txt)
    [ "$got" = "$want" ] || fail "'$got', not '$want', from $*: $(head -n 3 err.txt)"
}

# ---- text: a network that learns which letter follows writes on by itself

cat >letters.nn <<'EOF'
data corpus = text("letters.txt", window = 8)
data (tr, va) = split(corpus, 0.8)
let letters = alphabet(corpus)
let V = vocab(corpus)

model follow(x: int[N, T]) -> [N, T, V] {
    param table: [V, V] ~ glorot_uniform
    return table[x]
}

train {
    epochs = 30
    batch  = 4
    for (x, y) in tr {
        minimize cross_entropy(follow(x), y) using Adam(0.1)
    }
    for (x, y) in va {
        report accuracy = accuracy(follow(x), y)
    }
}

export fn facts() = [count(corpus), count(tr), count(va), V]
export fn spelled() = letters[arange(V)]
export fn on(code: int[N, T]) {
    let x[n, t] = argmax[k](int(code[n, t] == letters[k]))
    return letters[argmax(follow(x), axis = -1)]
}
EOF
awk 'BEGIN { for (i = 0; i < 50; i++) printf "abcé" }' >letters.txt # 200 characters: 24 windows of 8 and the next
expect "[24, 19, 5, 4]" "$NNC" run letters.nn facts
expect "abcé" "$NNC" run letters.nn spelled --text
expect "[97, 98, 99, 233]" "$NNC" run letters.nn spelled
"$NNC" train letters.nn --json >log 2>err.txt || fail "training on a text: $(head -n 3 err.txt)"
[ "$(value accuracy <log)" = 1 ] || fail "a text of four letters is not learned: $(tail -n 2 log)"
printf 'cabé' >prompt.txt
expect "ébca" "$NNC" run letters.nn on --arg code=prompt.txt --text
"$NNC" run letters.nn on --arg code=prompt.txt --out on.txt 2>/dev/null
[ "$(cat on.txt)" = "ébca" ] || fail "text in a file: $(cat on.txt)"
gzip -c letters.txt >letters.txt.gz
sed 's/letters.txt/letters.txt.gz/; s/window = 8/window = 8, stride = 2/' letters.nn >zipped.nn
expect "[96, 74, 19, 4]" "$NNC" run zipped.nn facts # the last 3 windows before the cut overlap those behind it
"$NNC" train zipped.nn --json --steps 200 >log 2>err.txt || fail "overlapping windows: $(head -n 3 err.txt)"
[ "$(value accuracy <log)" = 1 ] || fail "overlapping windows are not learned: $(tail -n 2 log)"
mkdir elsewhere && mv letters.txt elsewhere
expect_error 1 "letters.txt" "$NNC" run letters.nn facts
expect "[24, 19, 5, 4]" "$NNC" run letters.nn facts --data elsewhere
NNC_DATA=elsewhere
export NNC_DATA
expect "[24, 19, 5, 4]" "$NNC" run letters.nn facts
unset NNC_DATA
printf 'ab\nc\377' >letters.txt
expect_error 1 "letters.txt:2: byte 5 of the file, 0xff, is not UTF-8" "$NNC" run letters.nn facts
printf 'short' >letters.txt
expect_error 1 "letters.nn:1:15" "$NNC" run letters.nn facts

# ---- pictures

cat >pictures.nn <<'EOF'
fn ramp(h, w) { let y[i in 0..h, j in 0..w] = (i * w + j) / (h * w - 1); return y }
export fn gray() = ramp(2, 3)
export fn colour() = stack([ramp(2, 3), 1 - ramp(2, 3), 0 * ramp(2, 3)], axis = -1)
export fn sheet() = zeros([4, 5, 5, 1])
export fn same(x: u8[H, W, C]) = x
export fn batch(x: [N, H, W, 3]) = x / 255
export fn whole(x: int[]) = x
export fn two() = (ramp(2, 2), ramp(3, 3))
EOF
"$NNC" run pictures.nn gray --out gray.png && "$NNC" run pictures.nn colour --out colour.png || fail "writing pictures"
expect "[[[0],
  [51],
  [102]],
 [[153],
  [204],
  [255]]]" "$NNC" run pictures.nn same --arg x=gray.png
expect "[[[[0, 1, 0],
   [0.2, 0.8, 0],
   [0.4, 0.6, 0]],
  [[0.6, 0.4, 0],
   [0.8, 0.2, 0],
   [1, 0, 0]]]]" sh -c "'$NNC' run pictures.nn batch --arg x=colour.png | sed 's/0\.\([0-9]\)0*[0-9]*/0.\1/g'"
"$NNC" run pictures.nn same --arg x=colour.png --out again.png && cmp -s colour.png again.png || fail "a picture changes on its way"
"$NNC" run pictures.nn two --out two.png && [ -s two.0.png ] && [ -s two.1.png ] || fail "pictures of a tuple"
"$NNC" run pictures.nn sheet --out sheet.png || fail "a sheet" # 2 x 2 pictures of 5 x 5 with 2 pixels between
mkdir -p sheets/a && cp sheet.png sheets/a
printf 'data d = images("sheets")\nexport fn f() = features(d)\n' >sheet.nn
expect 144 "$NNC" run sheet.nn f
expect_error 1 "pictures are written as .png" "$NNC" run pictures.nn gray --out gray.jpg
expect_error 1 "text is made of integers" "$NNC" run pictures.nn gray --out gray.txt
expect_error 1 "a picture is made of" "$NNC" run pictures.nn whole --arg x=3 --out x.png
expect_error 1 "1114112, which is no character" "$NNC" run pictures.nn whole --arg x=1114112 --text
head -c 60 gray.png >cut.png
expect_error 1 "cut.png: the PNG data is damaged" "$NNC" run pictures.nn same --arg x=cut.png
cp letters.txt letters.txt.png
expect_error 1 "neither a PNG nor a JPEG" "$NNC" run pictures.nn same --arg x=letters.txt.png

# ---- folders: a class is told by how light its pictures are, or how loud its sounds

cat >shades.nn <<'EOF'
let level = 0.1
export fn shade() = level * ones([4, 4])
EOF
for i in 1 2 3; do
    mkdir -p shades/dark shades/light
    "$NNC" run shades.nn shade --set level=0.$i --out shades/dark/$i.png || fail "a shade"
    "$NNC" run shades.nn shade --set level=0.$((i + 6)) --out shades/light/$i.png || fail "a shade"
done
cat >folders.nn <<'EOF'
data pictures = images("shades")
data small    = images("shades", size = [2, 3])
data sounds   = wav("sounds", length = 4)
data cifar    = cifar10("cifar")

model dark(x: [N, 4, 4, 1]) -> [N, 2] = flatten(x / 255) |> Dense(2)
model loud(x: [N, 4]) -> [N, 2] = Dense(4, relu)(abs(x)) |> Dense(2)

train shades {
    epochs = 60
    for (x, y) in pictures {
        minimize cross_entropy(dark(x), y) using Adam(0.1)
        report accuracy = accuracy(dark(x), y)
    }
}

train waves {
    epochs = 60
    for (x, y) in sounds {
        minimize cross_entropy(loud(x), y) using Adam(0.1)
    }
}

export fn facts() = [count(pictures), classes(pictures), features(pictures), features(small), count(sounds), classes(sounds), features(sounds)]
export fn bytes() = [count(cifar), classes(cifar), features(cifar), mean_of(cifar)[1], std_of(cifar)[0]]
EOF
mkdir -p sounds/loud sounds/quiet cifar
# sound NAME BYTES COUNT: 16 bits, 8000 a second, mono
sound() {
    printf 'RIFF\000\000\000\000WAVEfmt \020\000\000\000\001\000\001\000\100\037\000\000\200\076\000\000\002\000\020\000data' >"$1"
    printf "\\$(printf %o "$3")\\000\\000\\000$2" >>"$1"
}
sound sounds/loud/a.wav '\000\140\000\240\000\140' 6
sound sounds/loud/b.wav '\000\120\000\240\000\140\000\140\000\140' 10
sound sounds/quiet/a.wav '\000\001\000\002' 4
sound sounds/quiet/b.wav '\000\001\000\002\000\377\000\001' 8
{ printf '\003' && head -c 3072 /dev/zero | tr '\000' '\007'; printf '\004' && head -c 3072 /dev/zero | tr '\000' '\013'; } >cifar/data_batch_1.bin
expect "[6, 2, 16, 6, 4, 2, 4]" "$NNC" run folders.nn facts
expect "[2, 10, 3072, 9, 2]" "$NNC" run folders.nn bytes
"$NNC" train folders.nn --only shades --json >log 2>err.txt || fail "pictures: $(head -n 3 err.txt)"
[ "$(value accuracy <log)" = 1 ] || fail "dark and light are not told apart: $(tail -n 2 log)"
"$NNC" train folders.nn --only waves --json >log 2>err.txt || fail "sounds: $(head -n 3 err.txt)"
printf 'x' >>cifar/data_batch_1.bin
expect_error 1 "data_batch_1.bin: its 6147 bytes are no whole number of records of 3073" "$NNC" run folders.nn bytes
rm -r sounds/quiet
mkdir sounds/none
expect_error 1 "sounds/none: holds no WAV files" "$NNC" run folders.nn facts

finish
