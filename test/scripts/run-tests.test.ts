/** The test runner on a project of its own, with tests that fail in several ways. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'

const root = fileURLToPath(new URL('../../', import.meta.url))

const passing = "import t from 'tap'\nt.test('adds', async (t) => { t.equal(1 + 1, 2) })\n"
const failing =
  "import t from 'tap'\nt.test('lies', async (t) => { t.equal(1, 2, 'one is two') })\n"
const skipping = "import t from 'tap'\nt.test('waits', { skip: 'no data' }, async () => {})\n"

/** A project with the test files given; tap would read the environment of the tap around it. */
async function runTests(t: Test, files: Record<string, string>, ...args: string[]) {
  const dir = t.testdir({ test: files })
  for (const name of ['package.json', '.taprc', 'scripts'])
    cpSync(join(root, name), join(dir, name), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(dir, 'node_modules'))
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(TAP|_TAPJS|NODE_OPTIONS)/.test(name)),
  )
  const child = spawn(process.execPath, [join(dir, 'scripts/run-tests.ts'), ...args], {
    cwd: dir,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part))
  child.stderr.resume()
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, lines: text.trimEnd().split('\n'), text }
}

t.test('passed and failed tests are summed up in the last line', async (t) => {
  const { code, lines, text } = await runTests(t, {
    'good.test.ts': passing,
    'bad.test.ts': failing,
    'crash.test.ts': "import './missing.ts'\n",
    'skip.test.ts': skipping,
  })
  t.equal(code, 1)
  t.equal(lines.at(-1), '1 passed, 2 failed')
  t.equal(lines.at(-2), '1 skipped')
  t.match(text, /not ok 1 - one is two/)
  t.match(text, /failed: test\/bad\.test\.ts › lies/)
  t.match(text, /failed: test\/crash\.test\.ts › failed outside its tests/)
})

t.test('only the files given run, and all passed is success', async (t) => {
  const files = { 'good.test.ts': passing, 'bad.test.ts': failing }
  const { code, lines } = await runTests(t, files, 'test/good.test.ts')
  t.equal(lines.length, 2)
  t.match(lines[0], /^ok {3}test\/good\.test\.ts \d+\.\d s$/)
  t.equal(lines[1], '1 passed, 0 failed')
  t.equal(code, 0)
})

t.test('nothing that ran is no success', async (t) => {
  const skipped = await runTests(t, { 'skip.test.ts': skipping })
  t.equal(skipped.lines.at(-1), '0 passed, 0 failed')
  t.equal(skipped.code, 1)
})

t.test('a file that is not there fails the run', async (t) => {
  const { code, lines } = await runTests(t, { 'a.test.ts': passing }, 'test/b.test.ts')
  t.equal(code, 1)
  t.equal(lines.at(-1), '0 passed, 1 failed')
})
