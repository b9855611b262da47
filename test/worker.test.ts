/**
 * Two servers and workers on one PostgreSQL server and one data folder: a job given to one server is done by a worker,
 * survives that worker's death, and its model is served by both servers.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { generateVillage } from '../src/datasets/village/index.ts'
import { writeDataset } from '../src/datasets/dataset-store.ts'
import { postgresUrl } from './fixtures/databases.ts'
import { startCommand, startServer } from './fixtures/run-server.ts'

interface JobView {
  readonly id: string
  readonly kind: string
  readonly status: string
  readonly error: unknown
  readonly result: Record<string, unknown> | null
}

interface EventView {
  readonly seq: number
  readonly type: string
  readonly data: Readonly<Record<string, unknown>>
}

const request = async (url: string, body?: object): Promise<unknown> => {
  const headers = { 'content-type': 'application/json' }
  const init = body && { method: 'POST', headers, body: JSON.stringify(body) }
  const response = await fetch(url, init)
  const answer: unknown = await response.json()
  if (!response.ok) throw new Error(`${url}: ${JSON.stringify(answer)}`)
  return answer
}

t.test('jobs go on when their worker dies, and both servers serve what comes out', async (t) => {
  const database = await postgresUrl()
  if ('reason' in database) return t.pass('needs PostgreSQL', { skip: database.reason })
  const home = mkdtempSync(join(tmpdir(), 'steerlm-workers-'))
  t.teardown(() => rmSync(home, { recursive: true, force: true }))
  const records = [...generateVillage({ seed: 6, rated: 80 }).rated]
  await writeDataset({ name: 'rated', home, records })
  const env = { DATABASE_URL: database.url, STEERLM_JOBS: '0' }
  const ending = <T extends { kill(): Promise<void> }>(command: T): T => {
    t.teardown(() => command.kill())
    return command
  }
  const startWorker = async () =>
    ending(await startCommand(home, ['worker'], { ...env, STEERLM_JOBS: '1' }))
  const first = ending(await startServer(home, ['--model', 'village'], env))
  const second = ending(await startServer(home, ['--model', 'village'], env))

  const spec = { stage: 'sft', data: 'rated', base: 'village', name: 'tuned', batch_size: 4, max_steps: 40, checkpoint_every: 2, lr: 0.0001 } // prettier-ignore
  const pipeline = [
    { ref: 'train', kind: 'train', spec },
    {
      ref: 'publish',
      kind: 'publish',
      spec: { model: 'team', from: 'tuned', aliases: ['prod'] },
      after: ['train'],
    },
  ]
  const created = (await request(`${first.url}/v1/jobs`, { pipeline })) as { data: JobView[] }
  const training = created.data.find(({ kind }) => kind === 'train')!
  const publishing = created.data.find(({ kind }) => kind === 'publish')!
  const jobAt = (url: string, id: string) => request(`${url}/v1/jobs/${id}`) as Promise<JobView>
  await sleep(500)
  t.equal((await jobAt(second.url, training.id)).status, 'queued', 'no server does it')

  const eventsAt = async (url: string): Promise<EventView[]> =>
    ((await request(`${url}/v1/jobs/${training.id}/events?format=json&limit=1000`)) as { data: EventView[] }).data // prettier-ignore
  const doomed = await startWorker()
  t.match(doomed.line, /^steerlm worker: 1 job at a time/)
  const stepsOf = (events: readonly EventView[]) =>
    events.filter(({ type }) => type === 'metrics').map(({ data }) => Number(data.step))
  while (stepsOf(await eventsAt(second.url)).length < 5) await sleep(50)
  await doomed.kill()
  const killed = await jobAt(first.url, training.id)
  t.equal(killed.status, 'running', 'it is some other worker’s in 15 seconds')

  const heir = await startWorker()
  let job = killed
  while (!['succeeded', 'failed', 'cancelled'].includes(job.status)) {
    await sleep(200)
    job = await jobAt(second.url, publishing.id)
  }
  t.equal(job.status, 'succeeded', JSON.stringify(job.error))
  const events = await eventsAt(first.url)
  t.same(events.map(({ seq }) => seq), events.map((_, i) => i + events[0]!.seq), 'no event is lost or doubled') // prettier-ignore
  t.same(stepsOf(events), Array.from({ length: 40 }, (_, i) => i + 1), 'every step once') // prettier-ignore

  const ask = { model: 'team', messages: [{ role: 'user', content: 'Good morning!' }], temperature: 0, max_tokens: 20 } // prettier-ignore
  interface Reply {
    readonly choices: { readonly message: { readonly content: string } }[]
  }
  const texts = []
  for (const { url } of [first, second]) {
    const served = async () =>
      ((await request(`${url}/v1/models`)) as { data: { id: string }[] }).data
    while (!(await served()).some(({ id }) => id === 'team')) await sleep(100)
    const reply = (await request(`${url}/v1/chat/completions`, ask)) as Reply
    texts.push(reply.choices[0]!.message.content)
  }
  t.ok(texts[0]!.length > 0)
  t.equal(texts[0], texts[1], 'the same version on both')

  t.equal(await heir.stop(), 0, 'a worker that is asked to stop ends cleanly')
})
