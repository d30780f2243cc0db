#!/bin/sh
# make_cifar.sh DIR [COUNT]: writes made-up images in the format of CIFAR-10 (binary version) to DIR/cifar-10-batches-bin, for a first try
# where the real files (https://www.cs.toronto.edu/~kriz/cifar.html) are not at hand. Each class is a direction and a width of
# stripes; their place, their colour and the noise differ in every image. 2,000 images to learn from, or COUNT,
# and a quarter as many to test: 8 MB.
set -eu
folder=${1:?the folder to write to}/cifar-10-batches-bin
count=${2:-2000}
mkdir -p "$folder"

# records SEED COUNT: a label, then 32x32 pixels in red, in green, in blue
records() {
    LC_ALL=C awk -v seed="$1" -v count="$2" '
    function random() { seed = (seed * 16807) % 2147483647; return seed / 2147483647 }
    BEGIN {
        for (i = 0; i < count; i++) {
            label = i % 10
            printf "%c", label
            angle = (label % 5) * 3.14159265 / 5
            step = label < 5 ? 0.6 : 1.1
            phase = 6.2831853 * random()
            for (c = 0; c < 3; c++) {
                height = 20 + 50 * random()
                for (y = 0; y < 32; y++) {
                    for (x = 0; x < 32; x++) {
                        wave = sin(step * (x * cos(angle) + y * sin(angle)) + phase)
                        printf "%c", int(128 + height * wave + 100 * (random() - 0.5))
                    }
                }
            }
        }
    }'
}

records 1 "$count" >"$folder/data_batch_1.bin"
records 2 $((count / 4)) >"$folder/test_batch.bin"
