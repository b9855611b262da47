/** Several processes on one registry, and processes killed in the middle of a change. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { createRegistry } from '../../src/registry/registry.ts'
import { createRandom } from '../../src/util/random.ts'
import { createTinyHome } from '../fixtures/tiny-home.ts'

const script = fileURLToPath(new URL('../fixtures/publish-loop.ts', import.meta.url))
const KILLS = 8

async function place(t: Test) {
  const tiny = createTinyHome(t.testdir())
  await tiny.model('tiny')
  const registry = createRegistry({ home: tiny.home, bundledDir: join(tiny.home, 'bundled') })
  return { home: tiny.home, registry }
}

function publisher(home: string, count: number, alias: string, awaited = 0) {
  const env = { ...process.env }
  delete env.NODE_OPTIONS // the test runner's loaders are of no use to the child
  const args = [home, 'm', 'tiny', String(count), alias]
  const stdio = ['ignore', 'inherit', 'inherit', 'ipc'] as const
  const child = fork(script, args, { env, execArgv: [], stdio: [...stdio] })
  const published: number[] = []
  const begun = Promise.withResolvers<void>()
  child.on('message', (message: { begin?: number; published?: number }) => {
    if (message.published !== undefined) published.push(message.published)
    if (message.begin === awaited) begun.resolve()
  })
  child.on('exit', () => begun.reject(new Error('the publisher ended too early')))
  return { child, published, begun: begun.promise, ended: once(child, 'exit') }
}

t.test('two processes publish at once: every version has its own number', async (t) => {
  const { home, registry } = await place(t)
  const both = [publisher(home, 5, 'left'), publisher(home, 5, 'right')]
  for (const { begun } of both) await begun
  for (const { ended } of both) t.same(await ended, [0, null])
  const [left, right] = both.map(({ published }) => published)
  const numbers = [...left!, ...right!].toSorted((a, b) => a - b)
  t.same(
    numbers,
    Array.from({ length: 10 }, (_, i) => i + 1),
  )
  const { versions, aliases } = await registry.get('m')
  t.same(aliases.map(({ alias, version }) => [alias, version]), [['left', left!.at(-1)], ['right', right!.at(-1)]]) // prettier-ignore
  t.same(aliases.map(({ history }) => history.length), [5, 5], 'no move was lost') // prettier-ignore
  t.equal(versions.length, 4, 'each kept two')
  for (const { version } of versions) await registry.verify('m', version)
})

t.test(`a registry stays whole when its writer is killed, ${KILLS} times`, async (t) => {
  const { home, registry } = await place(t)
  const random = createRandom('kills')
  let confirmed = 0
  for (let kill = 0; kill < KILLS; kill++) {
    const { child, published, begun, ended } = publisher(home, 1000, 'prod', random.int(3))
    await begun
    await pause(random.next() ** 2 * 200)
    child.kill('SIGKILL')
    await ended
    const { versions, aliases } = await registry.get('m').catch(() => ({ versions: [], aliases: [] })) // prettier-ignore
    for (const { version } of versions) await registry.verify('m', version)
    const newest = versions[0]?.version ?? 0
    confirmed = Math.max(confirmed, ...published)
    t.ok(newest >= confirmed, `what was confirmed is there: ${newest}, ${confirmed}`)
    // The alias moves with the version's appearance, never after it.
    if (newest > 0) t.equal(aliases[0]?.version, newest)
  }
  const { version } = await registry.publish({ model: 'm', from: 'tiny', aliases: ['prod'] })
  t.ok(version > confirmed)
  const folders = await readdir(join(home, 'registry', 'm', 'versions'))
  t.same(
    folders.filter((name) => name.startsWith('.')),
    [],
    'nothing unfinished is left',
  )
  const changes = await readdir(join(home, 'registry', 'm', 'changes'))
  t.same(
    changes.filter((name) => name.startsWith('.')),
    [],
  )
})
