#!/bin/sh
# run.sh            installs what is missing on Debian 12, builds nnc and trains the digits example
# run.sh NAME...    trains these examples, or `all`, and checks what they reach; NNC is the program (default: build/nnc)
set -eu
cd "$(dirname "$0")/.."

# The examples, and what must hold of the last values of their reports.
expected='
digits          accuracy >= 0.97
binary          accuracy >= 0.96
regression      mean_error < 48
fashion_mlp     accuracy >= 0.865
fashion_cnn     accuracy >= 0.90
resnet          accuracy >= 0.89
cifar_cnn       accuracy >= 0.60
autoencoder     explained > 0.84
vae             elbo > -250
gan             d_real > d_made && d_made > 0.1
simclr          accuracy > untrained + 0.05
transfer        transferred > from_scratch + 0.05
distill         distilled > alone && shirts_distilled > 0.15 && shirts_alone == 0
ensemble        ensemble > first && ensemble > second && ensemble > third
prune           without_50 > 0.8 && without_target > 0.77
quantize        rounded_accuracy < 0.8 && quantized_accuracy > 0.86
adversarial     plain_attacked < 0.5 && robust_attacked > 0.65 && robust_clean > 0.82
saliency        accuracy > 0.85
regularization  plain_test - plain_train > 1.4 * (dropout_test - dropout_train)
vanishing       sigmoid_1 * 1000 < sigmoid_10 && relu_1 * 10 > relu_10 && residuals > 0.93 && sigmoids < 0.5
optimizers      loss_gd < 0.5 && loss_adam < 0.1 && loss_muon < 0.1 && loss_lamb < 0.1
logistic_newton newton >= 0.95 && loss_newton < 0.0684
own_optimizer   accuracy >= 0.94
own_layer       accuracy >= 0.96
own_schedule    accuracy >= 0.94
char_rnn        loss < letters - 1.1
char_lstm       loss < letters - 1.2
char_gru        loss < letters - 1.2
gpt             loss < letters - 1.1
'

if [ $# = 0 ]; then
    sh tests/setup.sh
    cmake --preset release >/dev/null
    cmake --build --preset release
    exec build/nnc train examples/digits.nn
fi

nnc=${NNC:-build/nnc}
fashion=/usr/share/datasets/fashion-mnist
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

# The folder of the data that an example asks for; makes the images of stripes where cifar_cnn has no others.
data_of() {
    case $1 in
    cifar_cnn)
        [ -d "${NNC_DATA:-.}/cifar-10-batches-bin" ] && { echo "${NNC_DATA:-.}"; return; }
        [ -d "$work/cifar-10-batches-bin" ] || sh examples/data/make_cifar.sh "$work"
        echo "$work" ;;
    char_* | gpt) echo /usr/share/games/fortunes ;;
    *) echo $fashion ;;
    esac
}

# holds EVENTS CONDITION: whether it does of the last values in the events.
holds() {
    program=$(echo "$2" | sed 's/[a-z][a-z_0-9]*/v["&"]/g')
    tr ',' '\n' <"$1" | tr -d '{}"' | awk -F: "{ v[\$1] = \$2 + 0 } END { exit !($program) }"
}

# shown EVENTS CONDITION: the values in it.
shown() {
    for name in $(echo "$2" | grep -o '[a-z][a-z_0-9]*' | sort -u); do
        printf '%s %.4g  ' "$name" "$(grep -o "\"$name\":[-0-9.e+]*" "$1" | tail -n 1 | cut -d: -f2)"
    done
}

run() {
    condition=$(echo "$expected" | sed -n "s/^$1  *//p")
    [ -n "$condition" ] || { echo "there is no example '$1'" >&2; exit 2; }
    start=$(date +%s)
    "$nnc" train "examples/$1.nn" --json --data "$(data_of "$1")" --out "$work/$1" >"$work/events"
    word=ok
    holds "$work/events" "$condition" || { word=FAILED; failures=$((failures + 1)); }
    echo "$word  $1  $(shown "$work/events" "$condition")$(($(date +%s) - start)) s"
    [ $word = ok ] || echo "        expected: $condition"
}

[ "$1" = all ] && set -- $(echo "$expected" | awk '{ print $1 }')
for name in "$@"; do
    run "$name"
done
[ $failures = 0 ]
