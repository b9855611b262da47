/** The job kind `import` with a model of the hub: who may, and a real job from a hub on loopback. */
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { Job } from '../../schemas/jobs.ts'
import { buildApp } from '../../src/app.ts'
import { createProcessHandler } from '../../src/jobs/process-handler.ts'
import { readManifest } from '../../src/registry/model-folder.ts'
import type { JobService } from '../../src/services/job-service.ts'
import { COMMIT, startFakeHub } from '../fixtures/fake-hub.ts'
import { createTinyHome } from '../fixtures/tiny-home.ts'
import { fakeAuth } from '../services/fake-auth.ts'
import { fakeLanguageModel } from '../services/fake-runtime.ts'
import { postJson } from './client.ts'
import { jobsPlace } from './jobs-place.ts'

const job = { kind: 'import', spec: { hub: 'town/guard', name: 'guard' } }

t.test('imports from the hub are for admins unless the server says otherwise', async (t) => {
  const taken: unknown[] = []
  const jobs = {
    create: async (request: unknown) => taken.push(request) && Promise.reject(new Error('enough')),
  } as unknown as JobService
  const statuses = async (hubImports?: 'admin' | 'jobs' | 'off'): Promise<number[]> => {
    const auth = fakeAuth()
    const app = await buildApp({ runtimes: [fakeLanguageModel(['x'])], jobs, auth, ...(hubImports && { hubImports }) }) // prettier-ignore
    t.teardown(() => app.close())
    const ask = async (key: string, payload: object): Promise<number> => {
      const headers = { authorization: `Bearer ${key}` }
      return (await app.inject({ method: 'POST', url: '/v1/jobs', headers, payload })).statusCode
    }
    const worker = auth.grant('worker', ['jobs'])
    const boss = auth.grant('boss', ['admin'])
    const folder = { kind: 'import', spec: { path: 'a', name: 'x' } }
    return [await ask(worker, job), await ask(worker, { pipeline: [{ ...job, key: 'a' }] }), await ask(boss, job), await ask(worker, folder)] // prettier-ignore
  }
  // 500: it came as far as the service.
  t.same(await statuses(), [403, 403, 500, 500])
  t.same(await statuses('off'), [403, 403, 403, 500])
  t.equal((await statuses('jobs'))[0], 500)
})

t.test('a job imports a model of the hub', async (t) => {
  const dir = t.testdir({ home: {}, other: {} })
  const home = join(dir, 'home')
  const original = await createTinyHome(join(dir, 'other')).model('guard')
  const names = await readdir(original)
  const files = Object.fromEntries(
    await Promise.all(
      names.map(async (name) => [name, await readFile(join(original, name))] as const),
    ),
  )
  const hub = await startFakeHub({ files, cutAfter: 50_000 })
  t.teardown(() => hub.close())
  process.env.HF_ENDPOINT = hub.url
  t.teardown(() => delete process.env.HF_ENDPOINT)
  const handler = createProcessHandler({
    entry: new URL('../../src/job-process.ts', import.meta.url),
    settings: {
      home,
      importDir: join(home, 'imports'),
      threads: 1,
      busyShare: 0.2,
      memoryBytes: 2 ** 31,
    },
  })
  const { app } = await jobsPlace(t, home, handler)
  let found = (await postJson(app, '/v1/jobs', job)).json<Job>()
  while (found.status === 'queued' || found.status === 'running') {
    await sleep(100)
    found = (await app.inject(`/v1/jobs/${found.id}`)).json<Job>()
  }
  t.match(found, { status: 'succeeded', result: { name: 'guard', source: { commit: COMMIT } } })
  t.equal((await readManifest(join(home, 'models/guard'))).source?.commit, COMMIT)
})
