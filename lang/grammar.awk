# Prints the grammar of parser.y as EBNF: what REFERENCE.md shows (tests/cli/reference.sh holds one against the other).
# Rules of lists, `list: item | list "," item`, become repetitions; an empty alternative becomes brackets.

# The text without actions and comments; what stands in quotes stays.
function without_actions(s,    out, c, i, n, depth, quoted, two) {
    n = length(s)
    for (i = 1; i <= n; i++) {
        c = substr(s, i, 1)
        two = substr(s, i, 2)
        if (!quoted && two == "/*") {
            i += index(substr(s, i), "*/")
            out = out " "
        } else if (c == "\"") {
            quoted = !quoted
            if (!depth) out = out c
        } else if (!quoted && c == "{")
            depth++
        else if (!quoted && c == "}")
            depth--
        else if (!depth)
            out = out c
    }
    return out
}

# "IMPORT" -> "\"import\""; classes of tokens keep their names.
function declare_tokens(s,    i, n, words) {
    gsub(/<[a-z]+>/, "", s)
    n = split(s, words, /[ \t\n]+/)
    for (i = 1; i < n; i++)
        if (words[i] ~ /^[A-Z_]+$/ && words[i + 1] ~ /^"[^ ]+"$/ && words[i] !~ /^(NAME|NUMBER|STRING)$/)
            literal[words[i]] = words[i + 1]
}

# One alternative: tokens in quotes, names of values left out.
function symbols(s,    i, n, words, out) {
    n = split(s, words, /[ \t\n]+/)
    for (i = 1; i <= n; i++) {
        if (words[i] ~ /^[a-z_]+\[/) sub(/\[.*/, "", words[i])
        if (words[i] == "" || words[i] == "%empty" || words[i] == "error") continue
        out = out (out == "" ? "" : " ") (words[i] in literal ? literal[words[i]] : words[i])
    }
    return out
}

# Splits at bars outside of quotes.
function alternatives(s, to,    i, n, c, quoted, count, part) {
    n = length(s)
    for (i = 1; i <= n; i++) {
        c = substr(s, i, 1)
        if (c == "\"") quoted = !quoted
        if (c == "|" && !quoted) {
            to[++count] = part
            part = ""
        } else
            part = part c
    }
    to[++count] = part
    return count
}

function joined(list, n, lead,    i, out, line) {
    for (i = 1; i <= n; i++) {
        if (i > 1 && length(line) + length(list[i]) > 90) {
            out = out line "\n" lead
            line = ""
        }
        line = line (i > 1 ? (line == "" ? "| " : " | ") : "") list[i]
    }
    return out line
}

function print_rule(name, body,    n, i, alts, text, first, nfirst, more, nmore, empty, lead, base) {
    n = alternatives(body, alts)
    for (i = 1; i <= n; i++) {
        text = symbols(alts[i])
        if (text == "") {
            if (alts[i] ~ /%empty/) empty = 1
        } else if (index(text, name " ") == 1)
            more[++nmore] = substr(text, length(name) + 2)
        else
            first[++nfirst] = text
    }
    lead = sprintf("%12s  ", "")
    base = joined(first, nfirst, lead)
    if (nmore) {
        if (nfirst > 1) base = "( " base " )"
        base = base (base == "" ? "" : " ") "{ " joined(more, nmore, lead) " }"
    } else if (empty)
        base = "[ " base " ]"
    printf "%-11s = %s ;\n", name, base
}

{ file = file $0 "\n" }

END {
    mark = index(file, "\n%%\n")
    head = substr(file, 1, mark)
    rules = substr(file, mark + 4)
    if (match(rules, /\n%%/)) rules = substr(rules, 1, RSTART)
    n = split(head, lines, "\n")
    for (i = 1; i <= n; i++) {
        if (lines[i] ~ /^%/) in_tokens = lines[i] ~ /^%token/
        if (in_tokens) tokens = tokens lines[i] "\n"
    }
    declare_tokens(tokens)
    rules = without_actions(rules)
    while (match(rules, /(^|\n)[a-z_]+:/)) {
        name = substr(rules, RSTART, RLENGTH - 1)
        sub(/^\n/, "", name)
        rules = substr(rules, RSTART + RLENGTH)
        end = match(rules, /\n  ;/)
        print_rule(name, substr(rules, 1, end))
        rules = substr(rules, end)
    }
}
