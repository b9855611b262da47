/**
 * `steerlm bootstrap`: SteerLM step 4. Replies are sampled at the high-quality label combinations
 * seen in the data, rated by the attribute model, and trained on with the *predicted* labels
 * (2310.05344 §3.4: combinations uniformly, top-k 50).
 */
import { availableParallelism } from 'node:os'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { AttributeSet } from '../../schemas/attributes.ts'
import type { ConversationRecord, Message } from '../../schemas/records.ts'
import { readModelConfig, uniformPositions } from '../arch/index.ts'
import { labelRecords } from '../apm/label-records.ts'
import { openDataset, writeDataset, type Dataset } from '../datasets/dataset-store.ts'
import { createEngine, createScorer } from '../engine/index.ts'
import { fail } from '../errors.ts'
import { helpText, parseFlags, type FlagValues } from '../util/args.ts'
import { sha256Json } from '../util/hash.ts'
import { createProgress } from '../util/progress.ts'
import { createRandom } from '../util/random.ts'
import { createPausePoint, workHost } from '../util/work-host.ts'
import { openWorkLog } from '../util/work-log.ts'
import { loadOnDevice } from './device-flag.ts'
import { sampleReply } from './sample-reply.ts'
import { run as train } from './train.ts'
import { trainingFlags } from './training-flags.ts'
import { seenCombinations } from './training-rows.ts'
import { modelPlaces, openModelText, type OpenedModel } from './workplace.ts'

const flags = {
  data: { type: 'string', required: true, help: 'labelled data set: prompts and combinations' },
  model: { type: 'string', required: true, help: 'attribute-conditioned model to sample from' },
  apm: { type: 'string', required: true, help: 'attribute model' },
  name: { type: 'string', required: true, help: 'name of the model that comes out' },
  samples: { type: 'integer', default: 2000, min: 1, help: 'replies to sample' },
  mix: { type: 'integer', default: 2000, min: 0, help: 'rows of --data to train on as well' },
  'top-k': { type: 'integer', default: 50, min: 0, help: 'of the sampling; 0: all tokens' },
  temperature: { type: 'number', default: 1, min: 0, help: 'of the sampling' },
  concurrency: { type: 'integer', default: 16, min: 1, max: 64, help: 'replies sampled at once' },
  dtype: {
    type: 'string',
    default: 'f32',
    choices: ['f32', 'f16'],
    help: 'of the written weights',
  },
  'label-dropout': { type: 'number', default: 0.1, min: 0, max: 1, help: 'share of hidden labels' },
  ...trainingFlags,
} as const

type Values = FlagValues<typeof flags>

/**
 * The combinations nearest to the best that the attributes' directions allow: all of them at the top ("higher" at its
 * maximum, "lower" at its minimum) where the data has such replies, else those with the least sum of distances in
 * shares of the range (a weak attribute model may never predict the very top).
 */
export function highQuality(
  combinations: readonly { readonly values: readonly number[] }[],
  attributes: AttributeSet,
): number[][] {
  const distances = combinations.map(({ values }) =>
    attributes.reduce((sum, { direction, min, max }, a) => {
      if (direction === 'neither') return sum
      const best = direction === 'higher' ? max : min
      return sum + Math.abs(values[a]! - best) / (max - min)
    }, 0),
  )
  const nearest = Math.min(...distances)
  return combinations.flatMap(({ values }, i) => (distances[i] === nearest ? [[...values]] : []))
}

interface Draw {
  readonly prompt: Message[]
  readonly values: Record<string, number>
}

/** Prompts at random replies of random records, each with a combination drawn uniformly. */
async function drawPrompts(
  dataset: Dataset,
  attributes: AttributeSet,
  values: Values,
): Promise<Draw[]> {
  const best = highQuality(await seenCombinations(dataset, attributes), attributes)
  if (best.length === 0)
    fail('BAD_RECORD', `data set "${values.data}" has no reply with a value of every attribute`)
  const prompts: Message[][] = []
  for await (const { messages } of dataset.conversations()) {
    messages.forEach(({ role }, i) => {
      if (role === 'assistant' && i > 0) prompts.push(messages.slice(0, i))
    })
  }
  const random = createRandom(values.seed).fork('bootstrap')
  return Array.from({ length: values.samples }, () => {
    const combination = random.pick(best)
    const entries = attributes.map(({ name }, a) => [name, combination[a]!] as const)
    return { prompt: random.pick(prompts), values: Object.fromEntries(entries) }
  })
}

/** Samples all draws; finished ones are kept in a file, from which a later run goes on. */
async function sampleAll(draws: readonly Draw[], text: OpenedModel, values: Values, file: string) {
  const { temperature, seed } = values
  const identity = { draws: sha256Json(draws), manifest: text.manifest, temperature, seed, topK: values['top-k'] } // prettier-ignore
  const work = await openWorkLog<string>(file, identity)
  const replies = new Map(work.kept)
  const slots = Math.min(values.concurrency, draws.length)
  const threads = values.threads || availableParallelism()
  const engine = await loadOnDevice(values.device, (device) =>
    createEngine({ modelDir: text.dir, slots, threads, device }),
  )
  const progress = createProgress({ label: 'sample', total: draws.length, unit: 'replies' })
  const pause = createPausePoint()
  const waiting = draws.map((_, i) => i).filter((i) => !replies.has(i))
  const worker = async () => {
    for (let index = waiting.shift(); index !== undefined; index = waiting.shift()) {
      await pause()
      const draw = draws[index]!
      const sampled = await sampleReply(engine, text, {
        messages: draw.prompt,
        attributes: draw.values,
        temperature: values.temperature,
        topK: values['top-k'] || undefined,
        seed: values.seed * 1_000_003 + index,
      })
      // A reply that the context cut off would teach to stop in the middle of a sentence.
      const reply = sampled.finished ? sampled.text : ''
      replies.set(index, reply)
      await work.add(index, reply)
      progress.update(replies.size)
      workHost()?.checkpoint(replies.size)
    }
  }
  try {
    await Promise.all(Array.from({ length: slots }, worker))
  } finally {
    progress.stop()
    await engine.dispose()
  }
  return replies
}

/** Sampled conversations with the labels that the attribute model gives the new replies. */
async function labelSamples(
  draws: readonly Draw[],
  replies: ReadonlyMap<number, string>,
  apm: OpenedModel,
  values: Values,
) {
  const records = draws.flatMap((draw, i): ConversationRecord[] => {
    const content = replies.get(i)
    if (!content) return []
    const messages = [...draw.prompt, { role: 'assistant' as const, content }]
    return [{ id: `bootstrap-${i}`, messages }]
  })
  const scorer = await loadOnDevice(values.device, (device) =>
    createScorer({ modelDir: apm.dir, device }),
  )
  try {
    const { template, manifest } = apm
    const { attributes, calibration } = manifest
    return await labelRecords(records, { scorer, template, attributes, calibration })
  } finally {
    await scorer.dispose()
  }
}

/** The samples that are whole training rows, with the label lines that earlier turns have now. */
async function fitting(
  samples: readonly ConversationRecord[],
  text: OpenedModel,
  values: Values,
): Promise<ConversationRecord[]> {
  const limit = values['max-tokens'] || uniformPositions(await readModelConfig(text.dir))
  const kept = samples.filter(
    ({ messages }) => text.template.trainingRow(messages).tokens.length - 1 <= limit,
  )
  process.stderr.write(`bootstrap: ${kept.length} of ${values.samples} replies ended in time\n`)
  if (kept.length === 0)
    fail('BAD_RECORD', `no reply of "${values.model}" ended within the context`)
  return kept
}

async function mixed(dataset: Dataset, rows: number, seed: number): Promise<ConversationRecord[]> {
  const all: ConversationRecord[] = []
  for await (const record of dataset.conversations()) all.push(record)
  return createRandom(seed).fork('mix').shuffle(all).slice(0, rows)
}

/** Flags that the final training takes over as they were given. */
function trainingArgs(values: Values, data: string): string[] {
  const own = [
    'data',
    'model',
    'apm',
    'name',
    'samples',
    'mix',
    'top-k',
    'temperature',
    'concurrency',
  ]
  const passed = Object.entries(values).flatMap(([name, value]) => {
    if (own.includes(name) || value === undefined || value === false) return []
    return value === true ? [`--${name}`] : [`--${name}`, String(value)]
  })
  return ['sft', '--data', data, '--base', values.model, '--name', values.name, ...passed]
}

export async function run(argv: string[]): Promise<number> {
  const { values, help } = parseFlags(argv, flags)
  if (help) {
    console.log(helpText('steerlm bootstrap --data N --model M --apm A --name OUT', flags))
    return 0
  }
  const places = modelPlaces(values.home)
  const dataset = await openDataset(values.data, places.home)
  const text = await openModelText(values.model, places)
  const apm = await openModelText(values.apm, places)
  if (apm.manifest.kind !== 'attribute-model')
    fail('MODEL_NOT_PREDICTIVE', `--apm: "${values.apm}" is a ${apm.manifest.kind}`)
  const draws = await drawPrompts(dataset, text.manifest.attributes, values)
  const work = join(places.home, 'trainings', `${values.name}-samples`)
  const file = join(work, 'replies.ndjson')
  if (!values.resume) await rm(file, { force: true })
  const replies = await sampleAll(draws, text, values, file)
  const samples = await fitting(await labelSamples(draws, replies, apm, values), text, values)
  const name = `${values.name}-samples`
  await writeDataset({
    name,
    home: places.home,
    records: [...samples, ...(await mixed(dataset, values.mix, values.seed))],
    source: { bootstrap: { model: text.name, apm: apm.name, data: dataset.manifest.sha256 } },
    overwrite: true,
  })
  const code = await train(trainingArgs(values, name))
  await rm(work, { recursive: true, force: true })
  return code
}
