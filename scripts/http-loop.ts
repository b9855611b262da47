/**
 * SteerLM's loop by HTTP alone, against a running server: uploads rated replies and unrated texts, trains an
 * attribute model, labels, fine-tunes, evaluates, publishes, and chats with the new model's sliders, while
 * other chats stream all the time.
 *   node scripts/http-loop.ts --url http://127.0.0.1:8080 [--key sk-…] [--name loop] [--rated 400]
 *     [--unrated 400] [--streams 4] [--epochs 1]
 *     [--checkpoint-every 10] [--patient]
 * Prints one JSON document. `--patient` keeps trying while the server is away, for tests that kill it; without it
 * any failed request ends the script with exit code 1.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { generateVillage } from '../src/datasets/village/index.ts'
import type { ConversationRecord } from '../schemas/records.ts'
import { streamChats, type StreamTally } from './http-loop/stream-chats.ts'
import { createApi, type Api } from './http-loop/api.ts'

const { values } = parseArgs({
  options: {
    url: { type: 'string', default: 'http://127.0.0.1:8080' },
    key: { type: 'string' },
    name: { type: 'string', default: 'loop' },
    rated: { type: 'string', default: '400' },
    unrated: { type: 'string', default: '400' },
    streams: { type: 'string', default: '4' },
    epochs: { type: 'string', default: '1' },
    'checkpoint-every': { type: 'string', default: '10' },
    patient: { type: 'boolean', default: false },
  },
})

interface Job {
  readonly id: string
  readonly name: string | null
  readonly status: string
  readonly error: { code: string; message: string } | null
  readonly result: Readonly<Record<string, unknown>> | null
  readonly attempts: number
}

const name = values.name
const epochs = Number(values.epochs)
const checkpointEvery = Number(values['checkpoint-every'])
const data = { rated: `${name}-rated`, unrated: `${name}-unrated`, labelled: `${name}-labelled` }
const models = { apm: `${name}-apm`, sft: `${name}-sft` }

function* lines(records: Iterable<ConversationRecord>): Generator<string> {
  for (const record of records) yield `${JSON.stringify(record)}\n`
}

/** Uploads unless it is there already: an upload whose answer was lost is not made twice. */
async function upload(
  api: Api,
  set: string,
  records: Iterable<ConversationRecord>,
): Promise<number> {
  const body = [...lines(records)].join('')
  const query = `name=${set}&format=records`
  const made = await api.send('POST', `/v1/datasets?${query}`, { ndjson: body, allow: [409] })
  const stored = made.status === 409 ? await api.json('GET', `/v1/datasets/${set}`) : made.body
  return (stored as { rows: number }).rows
}

const train = {
  epochs,
  batch_size: 16,
  warmup_steps: 5,
  seed: 1,
  checkpoint_every: checkpointEvery,
}

const steps = [
  {
    ref: 'apm',
    kind: 'train',
    spec: { stage: 'apm', data: data.rated, base: 'village', name: models.apm, lr: 1e-3, ...train },
  },
  {
    ref: 'label',
    kind: 'label',
    spec: { data: data.unrated, apm: models.apm, name: data.labelled },
    after: ['apm'],
  },
  {
    ref: 'sft',
    kind: 'train',
    spec: {
      stage: 'sft',
      data: data.labelled,
      base: 'village',
      name: models.sft,
      lr: 3e-4,
      ...train,
    },
    after: ['label'],
  },
  {
    ref: 'evaluate',
    kind: 'evaluate',
    spec: { type: 'steering', model: models.sft, apm: models.apm, meters: 'village', limit: 4, levels: [0, 4] }, // prettier-ignore
    after: ['sft'],
  },
  {
    ref: 'publish',
    kind: 'publish',
    spec: { model: name, from: models.sft, aliases: ['prod'] },
    after: ['evaluate'],
  },
]

/** The jobs of the pipeline: those there are under this name, else new ones. */
async function startPipeline(api: Api): Promise<Job[]> {
  const known = await pipelineJobs(api)
  if (known.length > 0) return known
  await api.json('POST', '/v1/jobs', { json: { name, pipeline: steps } })
  return pipelineJobs(api)
}

async function pipelineJobs(api: Api): Promise<Job[]> {
  const { data: jobs } = (await api.json('GET', '/v1/jobs?limit=100')) as { data: Job[] }
  return jobs.filter((job) => job.name?.startsWith(name) ?? false)
}

async function untilDone(api: Api): Promise<Job[]> {
  for (;;) {
    const jobs = await pipelineJobs(api)
    const failed = jobs.find(({ status }) => status === 'failed' || status === 'cancelled')
    if (failed) throw new Error(`job ${failed.name}: ${failed.status}: ${failed.error?.message}`)
    if (jobs.every(({ status }) => status === 'succeeded')) return jobs
    await sleep(500)
  }
}

interface SteeredReply {
  readonly asked: number
  readonly text: string
  readonly achieved: Readonly<Record<string, number>> | null
}

async function chat(api: Api, toxicity: number): Promise<SteeredReply> {
  const answer = (await api.json('POST', '/v1/chat/completions', {
    json: {
      model: name,
      messages: [{ role: 'user', content: 'Where is the old bridge, guard?' }],
      attributes: { toxicity },
      seed: 7,
    },
  })) as {
    choices: { message: { content: string }; steering?: { achieved: SteeredReply['achieved'] } }[]
  }
  const [choice] = answer.choices
  return {
    asked: toxicity,
    text: choice!.message.content,
    achieved: choice!.steering?.achieved ?? null,
  }
}

const started = performance.now()
const api = createApi({ url: values.url, key: values.key, patient: values.patient })
const stop = new AbortController()
const streams: Promise<StreamTally> = streamChats(api, {
  streams: Number(values.streams),
  model: 'village',
  signal: stop.signal,
})
try {
  const village = generateVillage({
    seed: 5,
    rated: Number(values.rated),
    unrated: Number(values.unrated),
  })
  const rated = await upload(api, data.rated, village.rated)
  const unrated = await upload(api, data.unrated, village.unrated)
  await startPipeline(api)
  const jobs = await untilDone(api)
  const replies = [await chat(api, 0), await chat(api, 4)]
  const version = await api.json('GET', `/v1/registry/models/${name}`)
  stop.abort()
  const tally = await streams
  const seconds = Math.round((performance.now() - started) / 1000)
  const summary = jobs.map(({ name: job, status, attempts, result }) => {
    return { job, status, attempts, result }
  })
  const report = { rated, unrated, jobs: summary, replies, version, streams: tally, seconds }
  console.log(JSON.stringify(report, null, 2))
  if (!values.patient && tally.errors.length > 0) process.exitCode = 1
} finally {
  stop.abort()
}
