/**
 * Makes the bundled model from nothing: corpus, tokenizer, pretraining, attribute model, labels,
 * attribute-conditioned fine-tuning, bootstrapping, reports. Finished stages are skipped and a
 * stopped training goes on, so it may be interrupted at any time.
 *   node scripts/demo-train.ts [--quick] [--home DIR] [--publish] [--threads N]
 * `--quick` runs the same stages small, in a few minutes, and checks that losses fall and that the
 * sliders work better than chance. `--publish` copies the result into models/.
 */
import { spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { SteeringReport } from '../schemas/steering-report.ts'
import { MODEL_CARD_FILE, writeModelCards } from './model-card.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

interface Scale {
  readonly rated: number
  readonly unrated: number
  readonly pretrain: { readonly steps: number; readonly lr: number }
  readonly apm: { readonly epochs: number; readonly lr: number }
  readonly sft: { readonly steps: number; readonly lr: number }
  readonly bootstrap: { readonly samples: number; readonly mix: number; readonly lr: number }
  readonly config: Readonly<Record<string, number>>
  readonly prompts: number
  readonly levels: string
}

const full: Scale = {
  rated: 14_000,
  unrated: 40_000,
  pretrain: { steps: 1200, lr: 3e-3 },
  apm: { epochs: 4, lr: 1e-3 },
  sft: { steps: 5000, lr: 1.5e-3 },
  bootstrap: { samples: 2000, mix: 4000, lr: 4e-4 },
  config: {},
  prompts: 100,
  levels: '0,1,2,3,4',
}

const quick: Scale = {
  rated: 2000,
  unrated: 4000,
  pretrain: { steps: 200, lr: 4e-3 },
  apm: { epochs: 4, lr: 2e-3 },
  sft: { steps: 600, lr: 4e-3 },
  bootstrap: { samples: 60, mix: 600, lr: 1e-3 },
  config: {
    hidden_size: 128,
    intermediate_size: 352,
    num_hidden_layers: 3,
    num_attention_heads: 4,
    num_key_value_heads: 2,
  },
  prompts: 12,
  levels: '0,2,4',
}

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    home: { type: 'string' },
    publish: { type: 'boolean', default: false },
    threads: { type: 'string', default: '0' },
  },
})
const scale = values.quick ? quick : full
const home = values.home ?? join(root, 'build', values.quick ? 'demo-quick' : 'demo')
const corpus = join(home, 'corpus')
const tokenizer = join(home, 'tokenizer')
/** Held-out prompts of one user message: whole sentences that training never contains. */
const steeringPrompts = join(corpus, 'steering-prompts.ndjson')
const reports = join(home, 'reports')
const config = join(home, 'config.json')

function node(args: readonly string[]): void {
  const shown = args.map((arg) => arg.replace(root, '')).join(' ')
  console.log(`\n$ ${shown}`)
  const started = performance.now()
  const result = spawnSync(process.execPath, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, STEERLM_HOME: home },
  })
  if (result.status !== 0) throw new Error(`failed: ${shown}`)
  console.log(`(${((performance.now() - started) / 1000).toFixed(0)} s)`)
}

const steerlm = (...args: (string | number)[]) =>
  node([join(root, 'src/main.ts'), ...args.map(String)])

/** Runs a stage unless what it makes is there. */
function stage(made: string, run: () => void): void {
  if (existsSync(made)) console.log(`have ${made.replace(home, '')}`)
  else run()
}

const model = (name: string) => join(home, 'models', name)
const dataset = (name: string) => join(home, 'datasets', name)
const threads = ['--threads', values.threads] as const
const common = [
  ...['--seed', 1, '--resume', '--warmup-steps', 30, '--weight-decay', 0.1],
  ...threads,
] as const
const logOf = (name: string) => ['--log-jsonl', join(reports, `${name}.jsonl`)] as const

mkdirSync(reports, { recursive: true })
const base = JSON.parse(readFileSync(join(root, 'models/village.config.json'), 'utf8')) as object
writeFileSync(config, JSON.stringify({ ...base, ...scale.config }))

stage(join(corpus, 'heldout-prompts.ndjson'), () =>
  node([
    join(root, 'scripts/village-corpus.ts'),
    ...[
      '--out',
      corpus,
      '--seed',
      '1',
      '--rated',
      `${scale.rated}`,
      '--unrated',
      `${scale.unrated}`,
    ],
  ]),
)
stage(steeringPrompts, () => {
  const lines = readFileSync(join(corpus, 'heldout-prompts.ndjson'), 'utf8').trim().split('\n')
  const single = lines.filter((line) => {
    const { messages } = JSON.parse(line) as { messages: { role: string }[] }
    return messages.filter(({ role }) => role === 'user').length === 1
  })
  writeFileSync(steeringPrompts, single.map((line) => `${line}\n`).join(''))
})
stage(join(tokenizer, 'tokenizer.json'), () =>
  node([join(root, 'scripts/train-tokenizer.ts'), '--out', tokenizer, '--seed', '1']),
)
// What a request without sampling settings gets.
writeFileSync(
  join(tokenizer, 'generation_config.json'),
  `${JSON.stringify({ do_sample: true, temperature: 0.8, eos_token_id: 2, pad_token_id: 0 })}\n`,
)
for (const name of ['rated', 'unrated', 'heldout-rated']) {
  stage(dataset(name), () =>
    steerlm(
      'data',
      'import',
      join(corpus, `${name}.ndjson`),
      '--format',
      'records',
      '--name',
      name,
    ),
  )
}
stage(model('base'), () =>
  steerlm(
    ...['train', 'pretrain', '--data', 'unrated', '--config', config, '--tokenizer', tokenizer],
    ...['--name', 'base', '--max-steps', scale.pretrain.steps, '--lr', scale.pretrain.lr],
    ...['--validation', 0.01, ...common, ...logOf('pretrain')],
  ),
)
stage(model('village-apm'), () =>
  steerlm(
    ...['train', 'apm', '--data', 'rated', '--base', 'base', '--attributes', 'village'],
    ...[
      '--name',
      'village-apm',
      '--epochs',
      scale.apm.epochs,
      '--lr',
      scale.apm.lr,
      '--dtype',
      'f16',
    ],
    ...['--validation', 0.05, ...common, ...logOf('apm')],
  ),
)
for (const name of ['rated', 'unrated']) {
  stage(dataset(`${name}-labelled`), () =>
    steerlm(
      'label',
      '--data',
      name,
      '--apm',
      'village-apm',
      '--name',
      `${name}-labelled`,
      ...threads,
    ),
  )
}
const joined = join(home, 'joined.ndjson')
stage(dataset('labelled'), () => {
  const parts = ['rated-labelled', 'unrated-labelled'].map((name) =>
    readFileSync(join(dataset(name), 'records.ndjson'), 'utf8'),
  )
  writeFileSync(joined, parts.join(''))
  steerlm('data', 'import', joined, '--format', 'records', '--name', 'labelled')
  rmSync(joined)
})
stage(model('village-sft'), () =>
  steerlm(
    ...[
      'train',
      'sft',
      '--label-tokens',
      '--data',
      'labelled',
      '--base',
      'base',
      '--attributes',
      'village',
    ],
    ...[
      '--name',
      'village-sft',
      '--max-steps',
      scale.sft.steps,
      '--lr',
      scale.sft.lr,
      '--dtype',
      'f16',
    ],
    ...['--validation', 0.01, ...common, ...logOf('sft')],
  ),
)
stage(model('village'), () =>
  steerlm(
    ...['bootstrap', '--data', 'labelled', '--model', 'village-sft', '--apm', 'village-apm'],
    ...['--name', 'village', '--samples', scale.bootstrap.samples, '--mix', scale.bootstrap.mix],
    ...['--lr', scale.bootstrap.lr, '--dtype', 'f16', ...common, ...logOf('bootstrap')],
  ),
)
stage(join(reports, 'apm.json'), () =>
  steerlm(
    'eval',
    'apm',
    '--apm',
    'village-apm',
    '--data',
    'heldout-rated',
    '--out',
    join(reports, 'apm.json'),
  ),
)
for (const name of ['village-sft', 'village']) {
  stage(join(reports, `${name}.json`), () =>
    steerlm(
      ...['eval', 'steering', '--model', name, '--apm', 'village-apm', '--meters', 'village'],
      ...['--prompts', steeringPrompts, '--limit', scale.prompts],
      ...['--levels', scale.levels, '--temperature', 0.8],
      ...['--out', join(reports, `${name}.json`), '--html', join(reports, `${name}.html`)],
    ),
  )
}

interface MetricsLine {
  readonly step: number
  readonly loss?: number
}

/** Mean loss of the first and of the last tenth of a training. */
function lossFall(name: string): readonly [number, number] {
  const lines = readFileSync(join(reports, `${name}.jsonl`), 'utf8')
    .trim()
    .split('\n')
  const losses = lines.flatMap((line) => {
    const { loss } = JSON.parse(line) as MetricsLine
    return loss === undefined ? [] : [loss]
  })
  const part = Math.max(1, Math.floor(losses.length / 10))
  const mean = (list: readonly number[]) => list.reduce((sum, v) => sum + v, 0) / list.length
  return [mean(losses.slice(0, part)), mean(losses.slice(-part))]
}

const failures: string[] = []
for (const name of ['pretrain', 'apm', 'sft']) {
  const [first, last] = lossFall(name)
  console.log(`${name}: loss ${first.toFixed(3)} → ${last.toFixed(3)}`)
  if (!(last < first)) failures.push(`${name}: the loss does not fall (${first} → ${last})`)
}
writeModelCards({ home, reports })
const steered = SteeringReport.parse(
  JSON.parse(readFileSync(join(reports, 'village.json'), 'utf8')),
)
for (const [name, { spearman }] of Object.entries(steered.judges.meters!.attributes)) {
  const { value, low } = spearman
  console.log(`${name}: Spearman ${value} (at least ${low}) by the true meters`)
  if (!(low !== null && low > 0)) failures.push(`${name}: the slider works no better than chance`)
}
for (const problem of failures) console.error(problem)
if (failures.length) process.exit(1)

if (values.publish) {
  for (const name of ['village', 'village-apm']) {
    const target = join(root, 'models', name)
    rmSync(target, { recursive: true, force: true })
    cpSync(model(name), target, { recursive: true })
    const size = statSync(join(target, 'model.safetensors')).size
    console.log(`${target.replace(root, '')}: ${(size / 1e6).toFixed(1)} MB, ${MODEL_CARD_FILE}`)
  }
}
