/** `steerlm eval perplexity`: how well models predict texts; several models beside one another. */
import { stat } from 'node:fs/promises'
import { openModel, uniformPositions } from '../arch/index.ts'
import { OrtModelStep } from '../engine/ort-model-step.ts'
import { fail } from '../errors.ts'
import { locateModel } from '../registry/locate-model.ts'
import { readManifest } from '../registry/model-folder.ts'
import { measurePerplexity, type PerplexityResult } from '../services/evaluation/perplexity.ts'
import { helpText, parseFlags, type FlagValues } from '../util/args.ts'
import { writeFileAtomic } from '../util/atomic-file.ts'
import { createProgress } from '../util/progress.ts'
import { createPausePoint } from '../util/work-host.ts'
import { deviceFlag, loadOnDevice } from './device-flag.ts'
import { perplexityTexts } from './perplexity-texts.ts'
import { modelPlaces } from './workplace.ts'

const flags = {
  model: { type: 'string', multiple: true, help: 'model; repeatable, to compare' },
  data: { type: 'string', required: true, help: 'text file, .jsonl of {"text"}, or data set' },
  context: { type: 'integer', min: 2, help: 'tokens of a window; default: 512, or the model’s' },
  stride: { type: 'integer', min: 1, help: 'tokens that a window moves on; default: half of it' },
  limit: { type: 'integer', min: 1, help: 'texts; default: all' },
  ...deviceFlag,
  threads: { type: 'integer', default: 0, min: 0, help: 'CPU threads; 0: all cores' },
  out: { type: 'string', help: 'write the report as JSON to this file' },
  json: { type: 'boolean', default: false, help: 'print the report as JSON' },
  home: { type: 'string', help: 'data folder (STEERLM_HOME, ~/.steerlm)' },
} as const

type Values = FlagValues<typeof flags>

const DEFAULT_CONTEXT = 512

interface ModelRow extends PerplexityResult {
  readonly model: string
  /** How the weights are stored: `f32`, `f16`, `bf16`, `q8`, `q4`. */
  readonly weights: string
  readonly weight_bytes: number
  readonly seconds: number
  readonly context: number
  readonly stride: number
}

/** What the weights are and how large their files. */
async function describeWeights(dir: string) {
  const { config, checkpoint } = await openModel(dir)
  await checkpoint.close()
  const files = new Set([...checkpoint.tensors.values()].map(({ file }) => file.path))
  const sizes = await Promise.all([...files].map(async (path) => (await stat(path)).size))
  const first = checkpoint.tensors.get('model.norm.weight')?.entry.dtype ?? 'F32'
  const weights = config.quantization ? `q${config.quantization.bits}` : first.toLowerCase()
  return { config, weights, weight_bytes: sizes.reduce((sum, size) => sum + size, 0) }
}

async function measure(name: string, values: Values): Promise<ModelRow> {
  const places = modelPlaces(values.home)
  const { dir: modelDir } = await locateModel(name, places)
  if ((await readManifest(modelDir)).kind !== 'language-model')
    fail('MODEL_NOT_GENERATIVE', `--model: "${name}" is an attribute model`)
  const { config, weights, weight_bytes } = await describeWeights(modelDir)
  const texts = (await perplexityTexts(values.data, places.home, modelDir)).slice(0, values.limit)
  const context = values.context ?? Math.min(DEFAULT_CONTEXT, uniformPositions(config))
  const stride = values.stride ?? Math.max(1, Math.floor(context / 2))
  const options = { modelDir, slots: 1, contextLength: context }
  const threads = values.threads || undefined
  const step = await loadOnDevice(values.device, (device) =>
    OrtModelStep.create({ ...options, threads, device }),
  )
  const total = texts.reduce((sum, { counted }) => sum + counted.slice(1).filter(Boolean).length, 0)
  const progress = createProgress({ label: name, total, unit: 'tokens' })
  const started = performance.now()
  try {
    const result = await measurePerplexity(step, texts, {
      context,
      stride,
      pause: createPausePoint(),
      onProgress: (tokens) => progress.update(tokens),
    })
    const seconds = (performance.now() - started) / 1000
    return { model: name, weights, weight_bytes, ...result, seconds, context, stride }
  } finally {
    progress.stop()
    step.dispose()
  }
}

const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1)

/** A row a model; the last column is the perplexity over the first model's. */
function table(rows: readonly ModelRow[]): string {
  const head = ['model', 'weights', 'MB', 'perplexity', 'loss', 'top 1', 'tokens', 'to first']
  const cells = rows.map((row) => [
    row.model,
    row.weights,
    megabytes(row.weight_bytes),
    row.perplexity.toFixed(4),
    row.loss.toFixed(4),
    `${(row.accuracy * 100).toFixed(1)} %`,
    String(row.tokens),
    `${((row.perplexity / rows[0]!.perplexity - 1) * 100).toFixed(2)} %`,
  ])
  const widths = head.map((title, i) =>
    Math.max(title.length, ...cells.map((row) => row[i]!.length)),
  )
  return [head, ...cells]
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

export async function runPerplexity(argv: string[]): Promise<number> {
  const { values, positionals, help } = parseFlags(argv, flags)
  if (help) {
    console.log(helpText('steerlm eval perplexity --model M [--model M2] --data FILE|NAME', flags))
    return 0
  }
  if (positionals.length > 0 || values.model.length === 0)
    fail('BAD_ARGUMENT', 'eval perplexity: expected --model and --data, and nothing else')
  const rows: ModelRow[] = []
  for (const name of values.model) rows.push(await measure(name, values))
  const report = { data: values.data, models: rows }
  if (values.out !== undefined)
    await writeFileAtomic(values.out, `${JSON.stringify(report, null, 2)}\n`)
  console.log(values.json ? JSON.stringify(report) : table(rows))
  return 0
}
