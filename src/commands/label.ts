/** `steerlm label`: an attribute model rates every reply of a data set (SteerLM step 2). */
import { availableParallelism } from 'node:os'
import type { ConversationRecord } from '../../schemas/records.ts'
import { labelRecords } from '../apm/label-records.ts'
import { openDataset, writeDataset } from '../datasets/dataset-store.ts'
import { createScorer } from '../engine/index.ts'
import { fail } from '../errors.ts'
import { helpText, parseFlags } from '../util/args.ts'
import { createProgress } from '../util/progress.ts'
import { createPausePoint } from '../util/work-host.ts'
import { modelPlaces, openModelText } from './workplace.ts'

const flags = {
  data: { type: 'string', required: true, help: 'data set to label' },
  apm: { type: 'string', required: true, help: 'attribute model' },
  name: { type: 'string', required: true, help: 'name of the labelled data set' },
  overwrite: { type: 'boolean', default: false, help: 'replace a data set of that name' },
  threads: { type: 'integer', default: 0, min: 0, help: 'CPU threads; 0: all cores' },
  json: { type: 'boolean', default: false, help: 'print the result as JSON' },
  home: { type: 'string', help: 'data folder (STEERLM_HOME, ~/.steerlm)' },
} as const

/** Conversations scored together. */
const CHUNK = 256

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
  const threads = values.threads || availableParallelism()
  const scorer = await createScorer({ modelDir: dir, threads })
  const progress = createProgress({ label: 'label', total: dataset.manifest.rows, unit: 'rows' })
  async function* labelled(): AsyncGenerator<ConversationRecord> {
    const pause = createPausePoint()
    let done = 0
    let chunk: ConversationRecord[] = []
    const flush = async () => {
      await pause()
      const result = await labelRecords(chunk, { scorer, template, attributes })
      progress.update((done += chunk.length))
      chunk = []
      return result
    }
    for await (const record of dataset.conversations()) {
      chunk.push(record)
      if (chunk.length === CHUNK) yield* await flush()
    }
    if (chunk.length) yield* await flush()
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
