// onnxruntime's side of the measurements, forward only: ort.js MODEL.onnx INPUTS.npy BATCH THREADS
//
// It answers as bench/engine.c does, which describes the protocol. The session is called by the package's binding: what its
// JavaScript wraps around that (a promise, a copy of the feeds) costs a small model a tenth.
'use strict';
const fs = require('fs');
const path = require('path');
const readline = require('readline');
const { createRequire } = require('module');

// A float32 array in C order, as numpy.save writes it.
function readNpy(file) {
  const bytes = fs.readFileSync(file);
  const length = bytes.readUInt16LE(8);
  const dims = /'shape': \(([^)]*)\)/.exec(bytes.toString('latin1', 10, 10 + length))[1];
  const start = 10 + length;
  return { data: new Float32Array(bytes.buffer.slice(bytes.byteOffset + start, bytes.byteOffset + bytes.length)),
           dims: dims.split(',').filter(text => text.trim()).map(Number) };
}

function open(model, inputs, batch, threads) {
  const packages = createRequire(path.join(process.cwd(), 'node_modules', 'index.js'));
  const ort = packages('onnxruntime-node');
  const { binding } = packages('onnxruntime-node/dist/binding');
  const rows = readNpy(inputs);
  const floats = rows.dims.slice(1).reduce((a, b) => a * b, 1);
  const session = new binding.InferenceSession();
  session.loadModel(model, { intraOpNumThreads: threads, interOpNumThreads: 1, executionMode: 'sequential',
                             graphOptimizationLevel: 'all', enableCpuMemArena: true, enableMemPattern: true });
  const feeds = { [session.inputNames[0]]:
    new ort.Tensor('float32', rows.data.slice(0, batch * floats), [batch, ...rows.dims.slice(1)]) };
  const fetches = { [session.outputNames[0]]: null };
  return { version: packages('onnxruntime-node/package.json').version,
           run: () => session.run(feeds, fetches, {})[session.outputNames[0]] };
}

function answer(work, words, batch) {
  if (words[0] !== 'run') {
    const scores = work.run().data;
    return `ok ${scores.reduce((sum, value) => sum + Math.abs(value), 0) / scores.length}`;
  }
  const count = Number(words[1]);
  const wall = process.hrtime.bigint(), cpu = process.cpuUsage();
  for (let i = 0; i < count; i++)
    work.run();
  const used = process.cpuUsage(cpu);
  return `ok ${Number(process.hrtime.bigint() - wall) / 1e9} ${(used.user + used.system) / 1e6} ${count * batch}`;
}

function main() {
  const [model, inputs, batch, threads] = process.argv.slice(2);
  let work;
  try {
    work = open(model, inputs, Number(batch), Number(threads));
  } catch (error) {
    console.log(`no ${String(error.message).split('\n')[0]}`);
    process.exitCode = 1;
    return;
  }
  console.log(`ready onnxruntime ${work.version}`);
  readline.createInterface({ input: process.stdin }).on('line',
    line => console.log(answer(work, line.split(' '), Number(batch))));
}

main();
