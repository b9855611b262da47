/** /v1/jobs with a handler that does what the test says: requests, checks, states, events, the WebSocket. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { Job, JobEvent, JobList } from '../../schemas/jobs.ts'
import { createTinyHome, drawTokenRows } from '../fixtures/tiny-home.ts'
import { fakeHandler } from '../jobs/fake-handler.ts'
import { postJson } from './client.ts'
import { jobsPlace } from './jobs-place.ts'

const home = t.testdir()
const tiny = createTinyHome(home)
await tiny.tokenRows('rows', drawTokenRows(10))
await tiny.model('base')
mkdirSync(join(home, 'imports', 'checkpoint'), { recursive: true })
const handler = fakeHandler()
const { app, jobs } = await jobsPlace(t, home, handler)

const train = (name: string, more = {}) => ({
  kind: 'train',
  spec: { stage: 'pretrain', data: 'rows', base: 'base', name, ...more },
})
const create = async (body: object) => (await postJson(app, '/v1/jobs', body)).json<Job>()
const get = async <T = Job>(url: string) => (await app.inject(url)).json<T>()
async function reaches(id: string, status: string): Promise<Job> {
  for (;;) {
    const job = await get(`/v1/jobs/${id}`)
    if (job.status === status) return job
    await sleep(10)
  }
}
let started = 0
const nextAttempt = () => handler.attempt(started++)

/** The frames of an event stream, with their ids. */
const readEvents = (payload: string) =>
  payload
    .split('\n\n')
    .filter((block) => block.startsWith('id: '))
    .map((block) => {
      const [, id, data] = /^id: (\d+)\ndata: (.*)$/.exec(block)!
      return { id: Number(id), event: JSON.parse(data!) as JobEvent }
    })

t.test('a job from POST to its result; events replay, resume and end', async (t) => {
  const response = await postJson(app, '/v1/jobs', { ...train('one'), name: 'my job', priority: 3 })
  t.equal(response.statusCode, 201)
  const job = response.json<Job>()
  t.match(job, { object: 'job', kind: 'train', name: 'my job', priority: 3, spec: { name: 'one' } })
  t.match(job, { after: [], pipeline_id: null, result: null, error: null, finished_at: null })
  const following = app.inject(`/v1/jobs/${job.id}/events`)
  const { sink, end } = await nextAttempt()
  sink.metrics({ step: 1, loss: 2.5 })
  sink.progress({ done: 1, total: 1, unit: 'steps', note: '' })
  end({ type: 'succeeded', result: { steps: 1 } })
  const stream = await following
  t.match(stream.headers['content-type'], /^text\/event-stream/)
  const events = readEvents(stream.payload)
  t.same(events.map(({ id }) => id), events.map((_, i) => i + 1)) // prettier-ignore
  t.ok(events.every(({ id, event }) => event.seq === id))
  t.match(events.at(-1)!.event, { type: 'status', data: { status: 'succeeded' } })
  t.match(events.find(({ event }) => event.type === 'metrics')?.event.data, { step: 1, loss: 2.5 })
  const done = await get(`/v1/jobs/${job.id}`)
  t.match(done, { status: 'succeeded', result: { steps: 1 }, attempts: 1, progress: { done: 1 } })
  t.ok(done.finished_at! >= done.created_at)

  const headers = { 'last-event-id': '3' }
  const rest = await app.inject({ url: `/v1/jobs/${job.id}/events`, headers })
  t.same(readEvents(rest.payload), events.slice(3))
  const nothing = { 'last-event-id': String(events.length) }
  const over = await app.inject({ url: `/v1/jobs/${job.id}/events`, headers: nothing })
  t.equal(over.statusCode, 204, 'an EventSource that has seen all does not come back')
  const list = await get<{ data: JobEvent[]; has_more: boolean }>(
    `/v1/jobs/${job.id}/events?format=json&after=2&limit=2`,
  )
  t.same(list.data, events.slice(2, 4).map(({ event }) => event)) // prettier-ignore
  t.equal(list.has_more, true)
})

t.test('what cannot work is refused before anything is stored', async (t) => {
  await tiny.model('taken')
  const before = (await get<JobList>('/v1/jobs?limit=200')).data.length
  const cases: [object, number, string, string | null][] = [
    [train('x', { data: 'none' }), 404, 'dataset_not_found', 'spec.data'],
    [train('x', { base: 'none' }), 404, 'model_not_found', 'spec.base'],
    [train('x', { base: '../base' }), 400, 'bad_request', 'spec.base'],
    [train('../x'), 400, 'bad_request', 'spec.name'],
    [train('taken'), 409, 'already_exists', 'spec.name'],
    [train('x', { attributes: 'none' }), 400, 'bad_request', 'spec.attributes'],
    [train('x', { stage: 'magic' }), 400, 'bad_request', 'spec.stage'],
    [train('x', { out: '/etc' }), 400, 'bad_request', 'spec.out'],
    [{ kind: 'label', spec: { data: 'rows', apm: 'base', name: 'x' } }, 400, 'model_not_predictive', 'spec.apm'], // prettier-ignore
    [{ kind: 'import', spec: { path: '../models/base', name: 'x' } }, 400, 'bad_file', 'spec.path'],
    [{ kind: 'import', spec: { path: '/etc', name: 'x' } }, 400, 'bad_file', 'spec.path'],
    [{ kind: 'import', spec: { hub: 'a/b/../c', name: 'x' } }, 400, 'bad_request', 'spec.hub'],
    [
      { kind: 'import', spec: { hub: 'a/b', path: 'checkpoint', name: 'x' } },
      400,
      'bad_request',
      'spec.path',
    ],
    [{ kind: 'import', spec: { name: 'x' } }, 400, 'bad_request', 'spec.path'],
    [{ kind: 'publish', spec: { model: 'x', from: 'none' } }, 404, 'model_not_found', 'spec.from'],
    [{ kind: 'nothing', spec: {} }, 400, 'bad_request', 'kind'],
    [{ ...train('x'), after: ['6b1ad9d2-6a4c-4a0e-8f5e-0f3a3c7d0000'] }, 404, 'job_not_found', null], // prettier-ignore
    [{ pipeline: [{ ref: 'a', ...train('x') }, { ref: 'a', ...train('y') }] }, 400, 'bad_request', 'pipeline.1.ref'], // prettier-ignore
    [{ pipeline: [{ ref: 'a', ...train('x'), after: ['b'] }] }, 400, 'bad_request', 'pipeline.0.after.0'], // prettier-ignore
    [{ pipeline: [{ ref: 'a', ...train('x'), after: ['b'] }, { ref: 'b', ...train('y'), after: ['a'] }] }, 400, 'bad_request', 'pipeline.0.after'], // prettier-ignore
    [{ pipeline: [{ ref: 'a', ...train('x') }, { ref: 'b', ...train('x') }] }, 409, 'already_exists', 'pipeline.1.spec.name'], // prettier-ignore
    [{ pipeline: [{ ref: 'a', ...train('x') }, { ref: 'b', ...train('y', { base: 'x' }) }] }, 404, 'model_not_found', 'pipeline.1.spec.base'], // prettier-ignore
  ]
  for (const [body, status, code, param] of cases) {
    const response = await postJson(app, '/v1/jobs', body)
    const { error } = response.json<{ error: { code: string; param: string | null } }>()
    t.same([response.statusCode, error.code, error.param], [status, code, param], JSON.stringify(body)) // prettier-ignore
  }
  t.equal((await get<JobList>('/v1/jobs?limit=200')).data.length, before)
  const replaced = await create(train('taken', { overwrite: true }))
  t.match(replaced.status, /queued|running/)
  const busy = await postJson(app, '/v1/jobs', train('taken', { overwrite: true }))
  t.equal(busy.statusCode, 409, 'a name that a job is making')
  await nextAttempt()
  t.equal((await postJson(app, `/v1/jobs/${replaced.id}/cancel`, {})).statusCode, 200)
  await reaches(replaced.id, 'cancelled')
})

t.test('a pipeline: steps use what earlier ones will make, and wait for them', async (t) => {
  const response = await postJson(app, '/v1/jobs', {
    name: 'loop',
    pipeline: [
      { ref: 'apm', kind: 'train', spec: { stage: 'apm', data: 'rows', base: 'base', name: 'judge', attributes: 'village' } }, // prettier-ignore
      { ref: 'label', kind: 'label', spec: { data: 'rows', apm: 'judge', name: 'labelled' }, after: ['apm'] }, // prettier-ignore
      { ref: 'sft', kind: 'train', spec: { stage: 'sft', data: 'labelled', base: 'base', name: 'steered' }, after: ['label'] }, // prettier-ignore
      { ref: 'eval', kind: 'evaluate', spec: { type: 'steering', model: 'steered', apm: 'judge' }, after: ['sft'] }, // prettier-ignore
      { ref: 'publish', kind: 'publish', spec: { model: 'loop', from: 'steered', aliases: ['prod'] }, after: ['eval'] }, // prettier-ignore
    ],
  })
  t.equal(response.statusCode, 201, response.payload)
  const { data } = response.json<JobList>()
  t.match(data[0]!.status, /queued|running/)
  t.same(data.slice(1).map(({ status }) => status), ['waiting', 'waiting', 'waiting', 'waiting']) // prettier-ignore
  t.same(data.map(({ name }) => name), ['loop: apm', 'loop: label', 'loop: sft', 'loop: eval', 'loop: publish']) // prettier-ignore
  t.equal(new Set(data.map(({ pipeline_id }) => pipeline_id)).size, 1)
  t.same(data[1]!.after, [data[0]!.id])
  const outside = await postJson(app, '/v1/jobs', train('late', { data: 'labelled' }))
  t.match(outside.json(), { error: { message: new RegExp(`${data[1]!.id} is making it`) } })
  t.match(await jobs.isModelInUse('base'), /^job /)
  t.match(await jobs.isDatasetInUse('labelled'), `job ${data[1]!.id}`)
  const inUse = await app.inject({ method: 'DELETE', url: '/v1/datasets/rows' })
  t.equal(inUse.json<{ error: { code: string } }>().error.code, 'in_use')
  ;(await nextAttempt()).end({ type: 'succeeded', result: {} })
  ;(await nextAttempt()).end({ type: 'failed', error: { code: 'BAD_RECORD', message: 'row 1' } })
  t.match(await reaches(data[4]!.id, 'failed'), { error: { code: 'job_dependency' } })
  t.match(await get(`/v1/jobs/${data[1]!.id}`), { error: { code: 'bad_record', message: 'row 1' } })
  t.equal((await postJson(app, `/v1/jobs/${data[1]!.id}/retry`, {})).statusCode, 200)
  for (let n = 0; n < 4; n++) (await nextAttempt()).end({ type: 'succeeded', result: {} })
  await reaches(data[4]!.id, 'succeeded')
  t.equal(await jobs.isModelInUse('base'), null)
})

t.test('cancel, retry and delete keep to the states', async (t) => {
  const { id } = await create(train('states'))
  await nextAttempt()
  const url = `/v1/jobs/${id}`
  t.equal((await app.inject({ method: 'DELETE', url })).statusCode, 409)
  t.equal((await postJson(app, `${url}/retry`, {})).statusCode, 409)
  t.equal((await app.inject({ method: 'POST', url: `${url}/cancel` })).statusCode, 200)
  await reaches(id, 'cancelled')
  t.match((await postJson(app, `${url}/cancel`, {})).json(), { error: { code: 'job_state' } })
  t.equal((await app.inject({ method: 'POST', url: `${url}/retry` })).statusCode, 200)
  ;(await nextAttempt()).end({ type: 'succeeded', result: {} })
  await reaches(id, 'succeeded')
  t.same((await app.inject({ method: 'DELETE', url })).json(), { id, object: 'job', deleted: true })
  t.equal((await app.inject(url)).statusCode, 404)
  t.equal((await app.inject(`${url}/events`)).statusCode, 404)
  t.equal((await app.inject('/v1/jobs/none')).statusCode, 404)
  t.equal((await app.inject('/v1/jobs?status=odd')).statusCode, 400)
})

t.test('lists are newest first, filtered, page by page', async (t) => {
  const all = await get<JobList>('/v1/jobs?limit=200')
  t.equal(all.has_more, false)
  const first = await get<JobList>('/v1/jobs?limit=2&kind=train')
  t.equal(first.has_more, true)
  const next = await get<JobList>(`/v1/jobs?limit=2&kind=train&before=${first.data[1]!.id}`)
  const ids = all.data.filter(({ kind }) => kind === 'train').map(({ id }) => id)
  t.same([...first.data, ...next.data].map(({ id }) => id), ids.slice(0, 4)) // prettier-ignore
  const pipeline = all.data.find((job) => job.pipeline_id)!.pipeline_id!
  const own = await get<JobList>(`/v1/jobs?pipeline_id=${pipeline}`)
  t.ok(own.data.length > 1)
  t.same(own.data, all.data.filter((job) => job.pipeline_id === pipeline)) // prettier-ignore
})

t.test('the WebSocket follows jobs, from anywhere to the end', async (t) => {
  await app.ready()
  const socket = await app.injectWS('/v1/stream')
  t.teardown(() => socket.terminate())
  const messages: { type: string; id: string; event?: JobEvent; job?: unknown; code?: string }[] =
    []
  socket.on('message', (data: Buffer) => void messages.push(JSON.parse(data.toString())))
  const until = async (type: string) => {
    while (!messages.some((message) => message.type === type)) await sleep(5)
    return messages.find((message) => message.type === type)!
  }
  const { id } = await create(train('watched'))
  socket.send(JSON.stringify({ type: 'watch_job', id: 'w', job: id }))
  const { end } = await nextAttempt()
  await until('job_event')
  end({ type: 'succeeded', result: { ok: true } })
  t.match(await until('job_done'), { id: 'w', job: { id, status: 'succeeded', result: { ok: true } } }) // prettier-ignore
  const seqs = messages.filter(({ type }) => type === 'job_event').map(({ event }) => event!.seq)
  t.same(seqs, seqs.map((_, i) => i + 1)) // prettier-ignore
  messages.length = 0
  socket.send(JSON.stringify({ type: 'watch_job', id: 'w', job: id, after: seqs.length - 1 }))
  await until('job_done')
  t.equal(messages.length, 2, 'one event and the end')
  socket.send(JSON.stringify({ type: 'unwatch_job', id: 'nobody' }))
  t.match(await until('error'), { id: 'nobody', code: 'not_found' })
  messages.length = 0
  socket.send(JSON.stringify({ type: 'watch_job', id: 'x', job: '6b1ad9d2-6a4c-4a0e-8f5e-0f3a3c7d0000' })) // prettier-ignore
  t.match(await until('error'), { id: 'x', code: 'job_not_found' })
})

t.test('while a reply is written, the running job is told to step back', async (t) => {
  const { id } = await create(train('polite'))
  const { asked, end } = await nextAttempt()
  const chat = { model: 'village', messages: [{ role: 'user', content: 'Hi' }] }
  t.equal((await postJson(app, '/v1/chat/completions', chat)).statusCode, 200)
  t.same(asked.slice(-2), ['busy', 'calm'])
  end({ type: 'succeeded', result: {} })
  await reaches(id, 'succeeded')
})
