/** `steerlm label`: an attribute model rates every reply of a data set (SteerLM step 2). */
import { availableParallelism } from 'node:os'
import type { ConversationRecord } from '../../schemas/records.ts'
import { predictReplies, withLabels, type PredictedValues } from '../apm/label-records.ts'
import { openDataset, writeDataset } from '../datasets/dataset-store.ts'
import { createScorer } from '../engine/index.ts'
import { fail } from '../errors.ts'
import { helpText, parseFlags } from '../util/args.ts'
import { createProgress } from '../util/progress.ts'
import { createPausePoint, workHost } from '../util/work-host.ts'
import { openWorkLog } from '../util/work-log.ts'
import { deviceFlag, loadOnDevice } from './device-flag.ts'
import { modelPlaces, openModelText } from './workplace.ts'

const flags = {
  data: { type: 'string', required: true, help: 'data set to label' },
  apm: { type: 'string', required: true, help: 'attribute model' },
  name: { type: 'string', required: true, help: 'name of the labelled data set' },
  uncalibrated: {
    type: 'boolean',
    default: false,
    help: "take the scores as they are, without the attribute model's calibration",
  },
  overwrite: { type: 'boolean', default: false, help: 'replace a data set of that name' },
  ...deviceFlag,
  threads: { type: 'integer', default: 0, min: 0, help: 'CPU threads; 0: all cores' },
  'work-file': {
    type: 'string',
    help: 'keep finished rows here; the same command goes on from it',
  },
  json: { type: 'boolean', default: false, help: 'print the result as JSON' },
  home: { type: 'string', help: 'data folder (STEERLM_HOME, ~/.steerlm)' },
} as const

/** Conversations scored together; what a kill costs at most. */
const CHUNK = 128

async function* inChunks<T>(items: AsyncIterable<T>, size: number): AsyncGenerator<T[]> {
  let chunk: T[] = []
  for await (const item of items) {
    chunk.push(item)
    if (chunk.length < size) continue
    yield chunk
    chunk = []
  }
  if (chunk.length > 0) yield chunk
}

export async function run(argv: string[]): Promise<number> {
  const { values, help } = parseFlags(argv, flags)
  if (help) {
    console.log(helpText('steerlm label --data N --apm M --name OUT', flags))
    return 0
  }
  const places = modelPlaces(values.home)
  const dataset = await openDataset(values.data, places.home)
  const { name, dir, manifest, template } = await openModelText(values.apm, places)
  if (manifest.kind !== 'attribute-model')
    fail('MODEL_NOT_PREDICTIVE', `--apm: "${values.apm}" is a ${manifest.kind}`)
  const { attributes } = manifest
  const calibration = values.uncalibrated ? undefined : manifest.calibration
  const threads = values.threads || availableParallelism()
  const scorer = await loadOnDevice(values.device, (device) =>
    createScorer({ modelDir: dir, threads, device }),
  )
  const progress = createProgress({ label: 'label', total: dataset.manifest.rows, unit: 'rows' })
  const identity = {
    data: dataset.manifest.sha256,
    apm: manifest,
    chunk: CHUNK,
    raw: values.uncalibrated,
  }
  const work = await openWorkLog<PredictedValues[]>(values['work-file'], identity)
  const pause = createPausePoint()
  async function predict(chunk: readonly ConversationRecord[], index: number) {
    const kept = work.kept.get(index)
    if (kept) return kept
    await pause()
    const predicted = await predictReplies(chunk, { scorer, template, attributes, calibration })
    await work.add(index, predicted)
    return predicted
  }
  async function* labelled(): AsyncGenerator<ConversationRecord> {
    let done = 0
    let index = 0
    for await (const chunk of inChunks(dataset.conversations(), CHUNK)) {
      const predicted = await predict(chunk, index++)
      yield* chunk.map((record, i) => withLabels(record, predicted[i]!))
      progress.update((done += chunk.length))
      workHost()?.checkpoint(done)
    }
  }
  try {
    const written = await writeDataset({
      name: values.name,
      home: places.home,
      records: labelled(),
      source: { labelled: dataset.manifest.sha256, apm: name },
      overwrite: values.overwrite,
    })
    console.log(
      values.json ? JSON.stringify(written) : `${values.name}: ${written.rows} rows labelled`,
    )
    return 0
  } finally {
    progress.stop()
    await scorer.dispose()
  }
}
