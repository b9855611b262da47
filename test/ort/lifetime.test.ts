/** Lives and ends: what would crash the process outside these guards. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { createTensor, Session } from '../../src/ort/index.ts'
import { addOneModel, slowModel } from './tiny-model.ts'

const SIZE = 256

async function slow(repeats: number) {
  const session = await Session.create({ model: slowModel(repeats), intraOpThreads: 1 })
  const binding = session.createBinding()
  const y = createTensor('float32', [SIZE, SIZE])
  binding.bindInput('x', createTensor('float32', [SIZE, SIZE], new Float32Array(SIZE ** 2).fill(0)))
  binding.bindOutput('y', y)
  y.data.fill(9)
  return { session, binding, y }
}

t.test(
  'a disposed binding or session refuses every use; disposing again does nothing',
  async (t) => {
    const { session, binding, y } = await slow(1)
    binding.dispose()
    binding.dispose()
    const gone = { code: 'RUNTIME_ERROR', detail: /the binding was used after dispose\(\)/ }
    t.throws(() => binding.bindInput('x', y), gone)
    t.throws(() => binding.bindOutput('y', y), gone)
    t.throws(() => binding.bindOutputToCpu('y'), gone)
    t.throws(() => binding.outputs(), gone)
    t.throws(() => binding.clear(), gone)
    t.throws(() => session.runSync(binding), gone)
    await t.rejects(session.run(binding), gone)

    const second = session.createBinding()
    session.dispose()
    session.dispose()
    const ended = { code: 'RUNTIME_ERROR', detail: /the session was used after dispose\(\)/ }
    t.throws(() => session.createBinding(), ended)
    t.throws(() => session.runSync(second), ended)
    t.throws(() => session.endProfiling(), ended)
    await t.rejects(session.run(second), ended)
    t.throws(() => second.clear(), gone, 'its bindings end with it')
    second.dispose()
    t.same(session.inputNames, ['x'], 'what it told of itself stays')
  },
)

t.test('disposing the session during a run lets the run end', async (t) => {
  const { session, binding, y } = await slow(300)
  const running = session.run(binding)
  session.dispose()
  await t.rejects(session.run(binding), {
    code: 'RUNTIME_ERROR',
    detail: /the session was used after dispose/,
  })
  await running
  t.ok(y.data.every((value) => value === 0))
})

t.test('disposing the binding during a run lets the run end', async (t) => {
  const { session, binding, y } = await slow(300)
  t.teardown(() => session.dispose())
  const running = session.run(binding)
  binding.dispose()
  binding.dispose()
  await running
  t.ok(y.data.every((value) => value === 0))
})

t.test(
  'garbage collection takes neither the library nor memory that only a binding holds',
  async (t) => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const session = await Session.create({ model: slowModel(60), intraOpThreads: 1 })
    t.teardown(() => session.dispose())
    const bind = () => {
      const binding = session.createBinding()
      const x = Float32Array.from({ length: SIZE ** 2 }, (_, i) => Number(i % (SIZE + 1) === 0))
      binding.bindInput('x', createTensor('float32', [SIZE, SIZE], x))
      binding.bindOutputToCpu('y')
      return binding
    }
    const bindings = [bind(), bind()]
    for (let round = 0; round < 5; round++) {
      const runs = bindings.map((binding) => session.run(binding))
      for (let i = 0; i < 20; i++) new Float32Array(SIZE ** 2).fill(7)
      collect()
      await Promise.all(runs)
    }
    for (const binding of bindings) {
      const { data } = binding.outputs().get('y')!
      t.ok((data as Float32Array).every((value, i) => value === Number(i % (SIZE + 1) === 0)))
    }
  },
)

t.test('two thousand lives leave no memory behind', async (t) => {
  const model = addOneModel()
  const cycle = async () => {
    const session = await Session.create({ model, intraOpThreads: 1 })
    for (let i = 0; i < 3; i++) {
      const binding = session.createBinding()
      const x = createTensor('float32', [4096])
      binding.bindInput('x', x)
      if (i === 0) binding.bindOutputToCpu('y')
      else binding.bindOutput('y', x)
      await session.run(binding)
      if (i === 0) binding.outputs()
      await session.run(session.createBinding()).catch(() => undefined)
    }
    session.dispose()
  }
  for (let i = 0; i < 400; i++) await cycle()
  const before = process.memoryUsage().rss
  for (let i = 0; i < 2000; i++) await cycle()
  const grown = (process.memoryUsage().rss - before) / 2 ** 20
  // A leaked session is more than 100 kB, so that 2,000 would be 200 MB and more; the rest is
  // garbage that has not been collected yet (50 MiB were seen beside other tests).
  t.ok(grown < 120, `grew ${grown.toFixed(1)} MiB`)
})

const library = new URL('../../src/ort/index.ts', import.meta.url).href
const models = new URL('./tiny-model.ts', import.meta.url).href

/** A process that starts a run of many minutes, says so, and then does `ending`. */
const program = (ending: string) => `
  import { createTensor, Session } from ${JSON.stringify(library)}
  import { slowModel } from ${JSON.stringify(models)}
  const session = await Session.create({ model: slowModel(3000), intraOpThreads: 1 })
  const binding = session.createBinding()
  binding.bindInput('x', createTensor('float32', [2000, 2000]))
  binding.bindOutputToCpu('y')
  session.run(binding).then(() => console.log('ended'), () => {})
  setTimeout(() => { console.log('running'); ${ending} }, 50)
`

async function exitOf(ending: string, kill?: NodeJS.Signals) {
  const child = spawn(process.execPath, ['--input-type=module', '-e', program(ending)])
  let output = ''
  let errors = ''
  child.stdout.on('data', (text) => {
    output += text
    if (kill) child.kill(kill)
  })
  child.stderr.on('data', (text) => (errors += text))
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  return { code, signal, output: output.trim(), errors }
}

t.test('a process may end in the middle of a run, and does not wait for it', async (t) => {
  const ended = { code: null, signal: null, output: 'running', errors: '' }
  const started = performance.now()
  t.strictSame(await exitOf('process.exit(7)'), { ...ended, code: 7 })
  t.strictSame(await exitOf('', 'SIGTERM'), { ...ended, signal: 'SIGTERM' })
  const interrupted = await exitOf('process.kill(process.pid, "SIGINT")')
  t.strictSame(interrupted, { ...ended, signal: 'SIGINT' })
  const { errors, ...rest } = await exitOf('throw new Error("lost")')
  t.strictSame({ ...rest, errors: '' }, { ...ended, code: 1 })
  t.match(errors, /Error: lost/)
  // each run alone would take minutes; a process takes a second or two to start
  t.ok(performance.now() - started < 60_000)
})
