/**
 * Real, tiny trainings as jobs over HTTP: killed in the middle, cancelled and retried, as a pipeline, and by OpenAI's
 * own SDK. The killed one must end in the same weights as the undisturbed one.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import OpenAI, { toFile } from 'openai'
import t from 'tap'
import type { Job, JobEvent } from '../../schemas/jobs.ts'
import { createDirectHandler } from '../../src/jobs/direct-handler.ts'
import type { JobHandler } from '../../src/jobs/job-handler.ts'
import { createProcessHandler } from '../../src/jobs/process-handler.ts'
import { createTinyHome, drawTokenRows } from '../fixtures/tiny-home.ts'
import { postJson } from './client.ts'
import { jobsPlace } from './jobs-place.ts'

const STEPS = 30
const home = t.testdir()
const tiny = createTinyHome(home)
await tiny.tokenRows('rows', drawTokenRows(60))
await tiny.model('base')

const pids: number[] = []
const inProcess = createProcessHandler({
  entry: new URL('../../src/job-process.ts', import.meta.url),
  settings: {
    home,
    importDir: join(home, 'imports'),
    threads: 1,
    busyShare: 0.2,
    memoryBytes: 2 ** 40,
  },
  onSpawn: (pid) => pids.push(pid),
})
const published: unknown[] = []
const publish = createDirectHandler(async ({ spec }) => {
  published.push(spec)
  return { version: 1 }
})
/** Called with a job's id at each of its checkpoints. */
let onCheckpoint: (id: string) => void = () => {}
const handler: JobHandler = {
  start: (attempt, sink) =>
    (attempt.kind === 'publish' ? publish : inProcess).start(attempt, {
      ...sink,
      checkpoint(done) {
        sink.checkpoint(done)
        onCheckpoint(attempt.id)
      },
    }),
  forget: (attempt) => inProcess.forget(attempt),
}
const { app } = await jobsPlace(t, home, handler)
await app.listen({ host: '127.0.0.1', port: 0 })
const { port } = app.server.address() as AddressInfo

const train = (name: string, more = {}) => ({
  kind: 'train',
  spec: { stage: 'pretrain', data: 'rows', base: 'base', name, max_steps: STEPS, batch_size: 8, lr: 0.01, validation: 0.1, checkpoint_every: 10, ...more }, // prettier-ignore
})
const create = async (body: object): Promise<string> => {
  const response = await postJson(app, '/v1/jobs', body)
  if (response.statusCode !== 201) throw new Error(response.payload)
  return response.json<Job>().id
}
const get = async (id: string): Promise<Job> => (await app.inject(`/v1/jobs/${id}`)).json<Job>()
async function reaches(id: string, ...statuses: string[]): Promise<Job> {
  for (;;) {
    const job = await get(id)
    if (statuses.includes(job.status)) return job
    await sleep(20)
  }
}
const eventsOf = async (id: string): Promise<JobEvent[]> =>
  (await app.inject(`/v1/jobs/${id}/events?format=json&limit=10000`)).json<{ data: JobEvent[] }>()
    .data
/** The next checkpoint of any job. */
const checkpoint = (): Promise<string> => new Promise((resolve) => (onCheckpoint = resolve))
const hashOf = ({ result }: Job) => (result as { weights_sha256?: string } | null)?.weights_sha256
const lossesOf = (events: readonly JobEvent[]) =>
  events
    .filter(({ type, data }) => type === 'metrics' && 'loss' in data)
    .map(({ data }) => [data.step, data.loss])

let whole: Job

t.test('a training runs as a job, with its loss curve', async (t) => {
  const id = await create(train('whole'))
  whole = await reaches(id, 'succeeded', 'failed')
  t.match(whole, { status: 'succeeded', result: { name: 'whole', steps: STEPS }, attempts: 1 })
  t.match(hashOf(whole), /^[0-9a-f]{64}$/)
  t.notMatch(JSON.stringify(whole.result), home, 'no paths of this machine')
  t.equal(lossesOf(await eventsOf(id)).length, STEPS)
})

t.test(
  'killed in the middle, it goes on and ends in the same weights, nothing told twice',
  async (t) => {
    // prettier-ignore
    const saved = checkpoint()
    const id = await create(train('killed'))
    t.equal(await saved, id)
    process.kill(pids.at(-1)!, 'SIGKILL')
    const job = await reaches(id, 'succeeded', 'failed')
    t.match(job, { status: 'succeeded', attempts: 2 })
    t.equal(hashOf(job), hashOf(whole))
    const events = await eventsOf(id)
    t.same(lossesOf(events), lossesOf(await eventsOf(whole.id)))
    t.same(events.map(({ seq }) => seq), events.map((_, i) => i + 1)) // prettier-ignore
  },
)

t.test('cancelled it keeps its checkpoint; a retry ends in the same weights', async (t) => {
  const saved = checkpoint()
  const id = await create(train('cancelled'))
  t.equal(await saved, id)
  await postJson(app, `/v1/jobs/${id}/cancel`, {})
  t.equal((await reaches(id, 'cancelled', 'succeeded')).status, 'cancelled')
  await postJson(app, `/v1/jobs/${id}/retry`, {})
  const job = await reaches(id, 'succeeded', 'failed')
  t.match(job, { status: 'succeeded', attempts: 2 })
  t.equal(hashOf(job), hashOf(whole))
})

t.test('OpenAI’s SDK creates a fine-tuning job on an uploaded file and follows it', async (t) => {
  const client = new OpenAI({ baseURL: `http://127.0.0.1:${port}/v1`, apiKey: 'none', maxRetries: 0 }) // prettier-ignore
  const rows = ['Hi', 'Yo', 'Hm'].map((content) =>
    JSON.stringify({
      messages: [
        { role: 'user', content },
        { role: 'assistant', content: 'ok' },
      ],
    }),
  )
  const file = await client.files.create({
    file: await toFile(Buffer.from(rows.join('\n')), 'chats.jsonl'),
    purpose: 'fine-tune',
  })
  const tuning = await client.fineTuning.jobs.create({
    model: 'base',
    training_file: file.id,
    suffix: 'My Tales',
    seed: 7,
    method: { type: 'supervised', supervised: { hyperparameters: { n_epochs: 2, batch_size: 1 } } },
    metadata: { who: 'me' },
  })
  t.match(tuning.id, /^ftjob-/)
  t.match(tuning, { model: 'base', training_file: file.id, fine_tuned_model: null, seed: 7 })
  let current = tuning
  while (!['succeeded', 'failed', 'cancelled'].includes(current.status)) {
    await sleep(50)
    current = await client.fineTuning.jobs.retrieve(tuning.id)
  }
  t.match(current, { status: 'succeeded', error: null, metadata: { who: 'me' } })
  t.match(current.fine_tuned_model, /^base-my-tales-[0-9a-f]{8}$/)
  t.ok(current.trained_tokens! > 0)
  const name = current.fine_tuned_model!
  t.match(published, [{ model: name, from: name, aliases: ['prod'] }])
  const events = []
  for await (const event of client.fineTuning.jobs.listEvents(tuning.id, { limit: 3 })) events.push(event) // prettier-ignore
  t.equal(events.filter(({ type }) => type === 'metrics').length, 6, 'all pages')
  t.match(events.at(-1)?.message, 'Job waiting')
  const checkpoints = await client.fineTuning.jobs.checkpoints.list(tuning.id)
  t.match(checkpoints.data, [{ fine_tuned_model_checkpoint: name, step_number: 6 }])
  const listed = await client.fineTuning.jobs.list()
  t.same(listed.data.map(({ id }) => id), [tuning.id]) // prettier-ignore
  await t.rejects(client.fineTuning.jobs.cancel(tuning.id), { status: 409, code: 'job_state' })
  await t.rejects(client.fineTuning.jobs.retrieve('ftjob-x'), { name: 'Error', status: 404 })
  await t.rejects(
    client.fineTuning.jobs.create({ model: 'base', training_file: 'file-000000000000' }),
    { status: 404, code: 'file_not_found' },
  )
  await t.rejects(client.fineTuning.jobs.create({ model: 'none', training_file: file.id }), {
    status: 404,
    code: 'model_not_found',
  })
})
