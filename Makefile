# The front door. Everything real is Meson's; see meson_options.txt for what can be switched.
BUILD ?= build
FLAGS = -Dwerror=true -Dstrict=true -Dfailpoints=true

.PHONY: help install-deps build test demo bench test-asan test-crash fuzz format check-format clean

help:
	@sed -n 's/^## //p' Makefile

## make install-deps   install the Debian packages that building, testing and the demo need (as root or through sudo)
install-deps:
	@tools/install-deps

## make build          build expunged, expunge and expunge-verify into build/ (a developer's build: strict)
build: install-deps
	@test -f $(BUILD)/build.ninja || meson setup $(BUILD) $(FLAGS)
	@ninja -C $(BUILD)

## make test           every default suite: unit, shape, numerics, api, crash
test: build
	@tools/run-tests $(BUILD)

## make demo           forget six real people, end to end; KEEP=1 leaves the daemon running, PORT=n chooses its port
demo: build
	@BUILD=$(BUILD) examples/demo

## make bench          measure expunge beside PyTorch and onnxruntime; BENCH="--only exact" chooses, see docs/benchmarks.md
bench: build
	@ninja -C $(BUILD) bench/bench-engine
	@bench/run --build $(BUILD) $(BENCH)

## make test-asan      the default suites under AddressSanitizer and UndefinedBehaviorSanitizer, leaks collected
test-asan: install-deps
	@test -f build-asan/build.ninja || meson setup build-asan $(FLAGS) -Db_sanitize=address,undefined -Db_lundef=false
	@ninja -C build-asan
	@tools/run-tests build-asan

## make fuzz           throw broken models at the loader for SECONDS (60), from the committed corpus on; needs clang
SECONDS ?= 60
fuzz: install-deps
	@tools/fuzz build-fuzz $(SECONDS) $(FLAGS)

## make format         clang-format the tree in place; check-format only tells
format:
	@git ls-files '*.c' '*.h' | xargs clang-format -i
check-format:
	@git ls-files '*.c' '*.h' | xargs clang-format --dry-run -Werror

## make clean          remove the build folders
clean:
	rm -rf build build-asan build-tsan build-fuzz .demo
