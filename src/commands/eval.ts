/** `steerlm eval steering|apm|perplexity|compare`: how well sliders and attribute models work, as reports. */
import { readFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import type { AttributeSet } from '../../schemas/attributes.ts'
import type { Message } from '../../schemas/records.ts'
import { SteeringReport } from '../../schemas/steering-report.ts'
import { attributeValues } from '../apm/label-records.ts'
import { openDataset } from '../datasets/dataset-store.ts'
import { readRecords } from '../datasets/readers.ts'
import { generateVillage, villageMeters } from '../datasets/village/index.ts'
import { createEngine, createScorer, type Scorer } from '../engine/index.ts'
import { fail } from '../errors.ts'
import { evaluateApm, type RatedReply } from '../services/evaluation/apm-report.ts'
import { evaluateSteering, type Judge } from '../services/evaluation/evaluate-steering.ts'
import { reportHtml } from '../services/evaluation/report-html.ts'
import { apmTable, compareText, steeringText } from '../services/evaluation/report-text.ts'
import { helpText, parseFlags, type FlagValues } from '../util/args.ts'
import { writeFileAtomic } from '../util/atomic-file.ts'
import { createProgress } from '../util/progress.ts'
import { createPausePoint, workHost } from '../util/work-host.ts'
import { openWorkLog, type WorkLog } from '../util/work-log.ts'
import { deviceFlag, loadOnDevice } from './device-flag.ts'
import { runPerplexity } from './perplexity.ts'
import { modelPlaces, openModelText, type OpenedModel } from './workplace.ts'
import { sampleReply, type SampledReply } from './sample-reply.ts'

const flags = {
  model: { type: 'string', help: 'steering: model to steer' },
  apm: { type: 'string', help: 'attribute model: the judge, or what is evaluated' },
  data: { type: 'string', help: 'apm: data set with rated replies' },
  prompts: { type: 'string', help: 'steering: NDJSON of conversations; default: held-out village' },
  meters: { type: 'string', default: 'none', choices: ['none', 'village'], help: 'true values' },
  limit: { type: 'integer', default: 100, min: 1, help: 'steering: prompts' },
  levels: { type: 'string', default: '0,1,2,3,4', help: 'steering: requested levels' },
  others: {
    type: 'string',
    default: 'random',
    choices: ['random', 'default'],
    help: 'other sliders',
  },
  temperature: { type: 'number', default: 0.8, min: 0, help: 'steering: of the sampling' },
  'prompt-only': {
    type: 'integer',
    default: 20,
    min: 0,
    help: 'prompts of the prompt-only baseline',
  },
  concurrency: { type: 'integer', default: 16, min: 1, max: 64, help: 'replies generated at once' },
  seed: { type: 'integer', default: 1, min: 0, help: 'of requests, replies and intervals' },
  ...deviceFlag,
  threads: { type: 'integer', default: 0, min: 0, help: 'CPU threads; 0: all cores' },
  uncalibrated: {
    type: 'boolean',
    default: false,
    help: "take the scores as they are, without the attribute model's calibration",
  },
  out: { type: 'string', help: 'write the report as JSON to this file' },
  html: { type: 'string', help: 'steering: write the report as a page to this file' },
  'work-file': {
    type: 'string',
    help: 'keep finished work here; the same command goes on from it',
  },
  json: { type: 'boolean', default: false, help: 'print the report as JSON' },
  home: { type: 'string', help: 'data folder (STEERLM_HOME, ~/.steerlm)' },
} as const

type Values = FlagValues<typeof flags>

const need = (value: string | undefined, flag: string): string =>
  value ?? fail('BAD_ARGUMENT', `--${flag}: is needed`, { param: flag })

function parseLevels(text: string): number[] {
  const levels = text.split(',').map(Number)
  const rising = levels.every(
    (level, i) => Number.isFinite(level) && (i === 0 || level > levels[i - 1]!),
  )
  if (!rising || levels.length < 2)
    fail('BAD_ARGUMENT', `--levels: expected rising numbers such as 0,2,4, got "${text}"`)
  return levels
}

/** Conversations up to their last user message. */
async function readPrompts(values: Values): Promise<Message[][]> {
  const prompts: Message[][] = []
  const add = ({ messages }: { messages: Message[] }) => {
    const end = messages.findLastIndex(({ role }) => role === 'user')
    if (end >= 0) prompts.push(messages.slice(0, end + 1))
  }
  if (values.prompts === undefined) {
    for (const record of generateVillage({ seed: 1, heldoutPrompts: values.limit }).heldoutPrompts)
      add(record)
  } else {
    const bad: string[] = []
    const rows = readRecords(values.prompts, 'records', ({ line, problem }) => {
      bad.push(`line ${line}: ${problem}`)
    })
    for await (const { record } of rows) add(record)
    if (bad.length)
      fail('BAD_RECORD', `${values.prompts}: ${bad[0]} (${bad.length} bad rows in all)`)
  }
  if (prompts.length === 0) fail('BAD_RECORD', '--prompts: no conversation has a user message')
  return prompts.slice(0, values.limit)
}

const meterJudge: Judge = async (inputs) =>
  inputs.map((messages) => {
    const text = messages.at(-1)!.content
    return Object.fromEntries(
      Object.entries(villageMeters).map(([name, meter]) => [name, meter(text)]),
    )
  })

const apmJudge =
  (scorer: Scorer, apm: OpenedModel, values: Values): Judge =>
  async (inputs) => {
    const rows = inputs.map((messages) => apm.template.scoringTokens(messages))
    const scores = await scorer.score(rows)
    const { attributes, calibration } = apm.manifest
    const used = values.uncalibrated ? undefined : calibration
    return scores.map((row) => attributeValues(attributes, row, used))
  }

async function emit(values: Values, report: unknown, text: string): Promise<void> {
  const json = `${JSON.stringify(report, null, 2)}\n`
  if (values.out !== undefined) await writeFileAtomic(values.out, json)
  console.log(values.json ? JSON.stringify(report) : text)
}

async function openApm(
  name: string,
  values: Values,
): Promise<{ apm: OpenedModel; scorer: Scorer }> {
  const apm = await openModelText(name, modelPlaces(values.home))
  if (apm.manifest.kind !== 'attribute-model')
    fail('MODEL_NOT_PREDICTIVE', `--apm: "${name}" is a ${apm.manifest.kind}`)
  const options = { modelDir: apm.dir, threads: values.threads || availableParallelism() }
  const scorer = await loadOnDevice(values.device, (device) => createScorer({ ...options, device }))
  return { apm, scorer }
}

function checkJudges(attributes: AttributeSet, judges: Readonly<Record<string, Judge>>): void {
  if (attributes.length === 0) fail('BAD_ARGUMENT', '--model: the model has no attributes to steer')
  if (Object.keys(judges).length === 0)
    fail('BAD_ARGUMENT', '--apm or --meters: expected a judge of the replies, got neither')
}

/** What the kept replies depend on; prompts from a file by its name only. */
function workIdentity(values: Values, { manifest }: OpenedModel): unknown {
  const { model, prompts, limit, levels, others, temperature, seed } = values
  const asked = values['prompt-only']
  return { manifest, model, prompts, limit, levels, others, temperature, seed, asked }
}

async function steering(values: Values): Promise<void> {
  const name = need(values.model, 'model')
  const text = await openModelText(name, modelPlaces(values.home))
  const { attributes, combinations } = text.manifest
  const levels = parseLevels(values.levels)
  const prompts = await readPrompts(values)
  const judge = values.apm === undefined ? undefined : await openApm(values.apm, values)
  const judges: Record<string, Judge> = {
    ...(values.meters === 'village' && { meters: meterJudge }),
    ...(judge && { apm: apmJudge(judge.scorer, judge.apm, values) }),
  }
  checkJudges(attributes, judges)
  const options = {
    modelDir: text.dir,
    slots: values.concurrency,
    threads: values.threads || availableParallelism(),
  }
  const engine = await loadOnDevice(values.device, (device) => createEngine({ ...options, device }))
  const asked = Math.min(values['prompt-only'], prompts.length)
  const total = (prompts.length + asked) * attributes.length * levels.length
  const progress = createProgress({ label: 'steer', total, unit: 'replies' })
  const pause = createPausePoint()
  const work = await openWorkLog<SampledReply>(values['work-file'], workIdentity(values, text))
  try {
    const report = await evaluateSteering({
      model: name,
      apm: values.apm ?? null,
      async generate(request, signal) {
        const kept = work.kept.get(request.index)
        if (kept) return kept
        await pause()
        const reply = await sampleReply(engine, text, request, signal)
        await work.add(request.index, reply)
        return reply
      },
      judges,
      prompts,
      attributes,
      levels,
      combinations,
      temperature: values.temperature,
      others: values.others as 'random' | 'default',
      seed: values.seed,
      concurrency: values.concurrency,
      promptOnly: values['prompt-only'],
      onProgress: (done) => {
        progress.update(done)
        workHost()?.checkpoint(done)
      },
    })
    progress.stop()
    await emit(values, report, steeringText(report))
    if (values.html !== undefined) await writeFileAtomic(values.html, reportHtml(report))
  } finally {
    progress.stop()
    await engine.dispose()
    await judge?.scorer.dispose()
  }
}

/** Replies judged between two pauses. */
const JUDGED = 128

async function judgeInChunks(
  judge: Judge,
  inputs: readonly Message[][],
  work: WorkLog<Record<string, number>[]>,
): Promise<Record<string, number>[]> {
  const progress = createProgress({ label: 'judge', total: inputs.length, unit: 'replies' })
  const pause = createPausePoint()
  const values: Record<string, number>[] = []
  for (let begin = 0; begin < inputs.length; begin += JUDGED) {
    const kept = work.kept.get(begin)
    if (!kept) await pause()
    const judged = kept ?? (await judge(inputs.slice(begin, begin + JUDGED)))
    if (!kept) await work.add(begin, judged)
    values.push(...judged)
    progress.update(values.length)
    workHost()?.checkpoint(values.length)
  }
  progress.stop()
  return values
}

async function apm(values: Values): Promise<void> {
  const { apm: model, scorer } = await openApm(need(values.apm, 'apm'), values)
  const { attributes } = model.manifest
  try {
    const dataset = await openDataset(need(values.data, 'data'), modelPlaces(values.home).home)
    const inputs: Message[][] = []
    for await (const { messages } of dataset.conversations()) {
      messages.forEach(({ attributes: rated }, i) => {
        if (rated) inputs.push(messages.slice(0, i + 1))
      })
    }
    const identity = {
      apm: model.manifest,
      data: dataset.manifest.sha256,
      raw: values.uncalibrated,
    }
    const work = await openWorkLog<Record<string, number>[]>(values['work-file'], identity)
    const predictions = await judgeInChunks(apmJudge(scorer, model, values), inputs, work)
    const replies = inputs.map((messages, i): RatedReply => {
      const { attributes: rated, ratings, truth } = messages.at(-1)!
      return { predicted: predictions[i]!, rated: rated!, ratings, truth }
    })
    const figures = evaluateApm(replies, attributes)
    await emit(values, { apm: values.apm, data: values.data, figures }, apmTable(figures))
  } finally {
    await scorer.dispose()
  }
}

async function readReport(path: string | undefined): Promise<SteeringReport> {
  if (path === undefined) fail('BAD_ARGUMENT', 'eval compare: expected two report files')
  const text = await readFile(path, 'utf8').catch((cause: unknown) =>
    fail('BAD_FILE', `${path}: cannot be read`, { cause }),
  )
  let raw: unknown
  try {
    raw = JSON.parse(text)
  } catch (cause) {
    fail('BAD_FILE', `${path}: not JSON`, { cause })
  }
  const parsed = SteeringReport.safeParse(raw)
  return parsed.success ? parsed.data : fail('BAD_FILE', `${path}: no steering report`)
}

export async function run(argv: string[]): Promise<number> {
  if (argv[0] === 'perplexity') return runPerplexity(argv.slice(1))
  const { values, positionals, help } = parseFlags(argv, flags)
  const [topic, ...files] = positionals
  if (help)
    console.log(helpText('steerlm eval steering | apm | perplexity | compare A.json B.json', flags))
  else if (topic === 'steering' && files.length === 0) await steering(values)
  else if (topic === 'apm' && files.length === 0) await apm(values)
  else if (topic === 'compare' && files.length === 2)
    console.log(compareText(await readReport(files[0]), await readReport(files[1])))
  else
    fail(
      'BAD_ARGUMENT',
      `eval: expected steering, apm, perplexity or compare A B, got "${positionals.join(' ')}"`,
    )
  return 0
}
