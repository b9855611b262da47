/** `steerlm` itself, with a main file that only does what the test says. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** Makes the wrapper believe that it runs on Node 20. */
const OLD_NODE = `data:text/javascript,Object.defineProperty(process,'versions',{value:{node:'20.0.0'}})`

async function start(t: Test, main: string, options: { old: boolean; installed?: boolean }) {
  const dir = t.testdir({ src: { 'main.ts': main }, 'package.json': '{"type":"module"}' })
  cpSync(join(root, 'bin'), join(dir, 'bin'), { recursive: true })
  if (options.installed !== false)
    symlinkSync(join(root, 'node_modules'), join(dir, 'node_modules'))
  const flags = options.old ? ['--import', OLD_NODE] : []
  const env = { ...process.env }
  delete env.NODE_OPTIONS
  const child = spawn(process.execPath, [...flags, join(dir, 'bin/steerlm.mjs'), 'serve', '--x'], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const closed = once(child, 'close') as Promise<[number | null, string | null]>
  const output = { out: '', err: '' }
  child.stdout.setEncoding('utf8').on('data', (part: string) => (output.out += part))
  child.stderr.setEncoding('utf8').on('data', (part: string) => (output.err += part))
  return { child, closed, output }
}

const PRINT = 'const list: string[] = process.argv.slice(2)\nconsole.log(list.join())\n'

for (const old of [false, true]) {
  const where = old ? 'on an old Node' : 'on Node 24'

  t.test(`${where} the arguments and the exit code are those of the command`, async (t) => {
    const { closed, output } = await start(t, `${PRINT}process.exitCode = 3`, { old })
    t.same(await closed, [3, null])
    t.equal(output.out, 'serve,--x\n')
  })

  t.test(`${where} a signal reaches the command, which ends as it likes`, async (t) => {
    const main = `process.once('SIGTERM', () => { console.log('bye'); process.exit(5) })
      setInterval(() => {}, 1000)
      console.log('ready')`
    const { child, closed, output } = await start(t, main, { old })
    await once(child.stdout!, 'data')
    child.kill('SIGTERM')
    t.same(await closed, [5, null])
    t.equal(output.out, 'ready\nbye\n')
  })
}

t.test('a command that a signal ended gives the code that shells use', async (t) => {
  const { closed } = await start(t, `process.kill(process.pid, 'SIGKILL')`, { old: true })
  t.same(await closed, [128 + 9, null])
})

t.test('an old Node without the dependencies is told what to do', async (t) => {
  const { closed, output } = await start(t, PRINT, { old: true, installed: false })
  t.same(await closed, [1, null])
  t.match(output.err, /^steerlm: needs Node 24 or the installed dependencies; run "npm ci"/)
})
