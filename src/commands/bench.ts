/** `steerlm bench decode|prefill|prefix|sampler|train`: JSON rows, medians of several rounds after a warm-up. */
import { runPeersBench } from '../../bench/peers/peers.bench.ts'
import { runDecodeBench } from '../../bench/decode.bench.ts'
import { runPrefillBench } from '../../bench/prefill.bench.ts'
import { runPrefixBench } from '../../bench/prefix.bench.ts'
import { runSamplerBench } from '../../bench/sampler.bench.ts'
import { runTrainBench } from '../../bench/train.bench.ts'
import { runTrainPeersBench } from '../../bench/peers/train-peers.bench.ts'
import { fail } from '../errors.ts'
import { chooseDevice } from '../ort/index.ts'
import { resolveModel } from '../registry/locate-model.ts'
import { helpText, parseFlags, type FlagValues } from '../util/args.ts'
import { deviceFlag, deviceOf } from './device-flag.ts'
import { modelPlaces } from './workplace.ts'

const flags = {
  model: { type: 'string', default: 'village', help: 'model whose shape and weights are measured' },
  batch: {
    type: 'integer',
    multiple: true,
    min: 1,
    max: 64,
    help: 'streams or rows at once; repeatable',
  },
  rounds: { type: 'integer', default: 5, min: 1, help: 'measured rounds' },
  ...deviceFlag,
  threads: { type: 'integer', default: 0, min: 0, help: 'CPU threads; 0: all cores' },
  seed: { type: 'integer', default: 1, min: 0, help: 'of the random prompts' },
  peers: {
    type: 'boolean',
    default: false,
    help: 'decode, prefill: beside llama.cpp on random 4-bit weights; train: beside PyTorch',
  },
  python: {
    type: 'string',
    help: 'train --peers: Python with torch, transformers and peft (STEERLM_PYTHON; python3)',
  },
  home: { type: 'string', help: 'data folder (STEERLM_HOME, ~/.steerlm)' },
} as const

type Values = FlagValues<typeof flags>

const benches = {
  decode: runDecodeBench,
  prefill: runPrefillBench,
  prefix: runPrefixBench,
  sampler: runSamplerBench,
  train: runTrainBench,
}

/** Installs llama.cpp's npm package into the data folder on its first use; PyTorch must be there. */
async function runPeers(topics: readonly string[], values: Values): Promise<number> {
  const { rounds, threads, batch } = values
  const { home } = modelPlaces(values.home)
  const asked = topics.length ? topics : ['decode', 'prefill']
  for (const topic of asked) {
    if (topic === 'train') {
      const python = values.python ?? process.env.STEERLM_PYTHON ?? 'python3'
      await runTrainPeersBench({ home, python, rounds, threads: threads || undefined })
      continue
    }
    if (topic !== 'decode' && topic !== 'prefill')
      return fail('BAD_ARGUMENT', `bench --peers: decode, prefill or train, got "${topic}"`)
    const batches = batch.length ? { batches: batch } : {}
    await runPeersBench(topic, { home, rounds, threads: threads || undefined, ...batches })
  }
  return 0
}

/** Without a topic all of them run. */
export async function run(argv: string[]): Promise<number> {
  const { values, positionals, help } = parseFlags(argv, flags)
  if (help) {
    console.log(helpText('steerlm bench [decode|prefill|prefix|sampler|train]', flags))
    return 0
  }
  const known = Object.keys(benches) as (keyof typeof benches)[]
  const topics = positionals.length ? positionals : known
  if (values.peers) return runPeers(positionals, values)
  const modelDir = await resolveModel(values.model, modelPlaces(values.home))
  const { rounds, seed } = values
  const { device, why } = await chooseDevice(deviceOf(values.device))
  process.stderr.write(`device: ${device} (${why})\n`)
  const common = { modelDir, rounds, seed, device, threads: values.threads || undefined }
  for (const topic of topics) {
    const bench = Object.hasOwn(benches, topic) ? benches[topic as keyof typeof benches] : undefined
    if (!bench) fail('BAD_ARGUMENT', `bench: expected ${known.join(', ')}, got "${topic}"`)
    await bench(values.batch.length ? { ...common, batches: values.batch } : common)
  }
  return 0
}
