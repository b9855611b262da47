/** The installer on a project of its own, with an npm that only says how it was called. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'

const script = fileURLToPath(new URL('../../scripts/install-if-missing.mjs', import.meta.url))

/** Installs what the lock file names, or fails where the project says so. */
const fakeNpm = `#!${process.execPath}
const fs = require('node:fs')
fs.appendFileSync('npm.log', [...process.argv.slice(2), process.env.ONNXRUNTIME_NODE_INSTALL].join(' ') + '\\n')
if (fs.existsSync('fail')) process.exit(7)
Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50)
const { packages } = JSON.parse(fs.readFileSync('package-lock.json', 'utf8'))
for (const [path, { version, optional }] of Object.entries(packages)) {
  if (path === '' || optional) continue
  fs.mkdirSync(path, { recursive: true })
  fs.writeFileSync(path + '/package.json', JSON.stringify({ version }))
}
fs.writeFileSync('node_modules/.package-lock.json', '{}')
`

const lockFile = (version: string) =>
  JSON.stringify({
    packages: {
      '': { name: 'project' },
      'node_modules/left': { version },
      'node_modules/@other/platform': { version: '1.0.0', optional: true },
    },
  })

function createProject(t: Test): string {
  const dir = t.testdir({ 'package-lock.json': lockFile('1.0.0'), scripts: {}, bin: {} })
  cpSync(script, join(dir, 'scripts/install-if-missing.mjs'))
  writeFileSync(join(dir, 'bin/npm'), fakeNpm, { mode: 0o755 })
  return dir
}

async function install(dir: string) {
  const env: NodeJS.ProcessEnv = { ...process.env, PATH: join(dir, 'bin') + delimiter }
  delete env.NODE_OPTIONS
  const child = spawn(process.execPath, [join(dir, 'scripts/install-if-missing.mjs')], {
    cwd: '/',
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let text = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (part: string) => (text += part))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, text }
}

const calls = (dir: string) =>
  existsSync(join(dir, 'npm.log'))
    ? readFileSync(join(dir, 'npm.log'), 'utf8').trim().split('\n')
    : []

t.test('missing packages are installed once, then it is quiet', async (t) => {
  const dir = createProject(t)
  t.match(await install(dir), { code: 0, text: /^Installing dependencies/ })
  t.same(calls(dir), ['ci --no-audit --no-fund --loglevel=error skip'])
  t.same(await install(dir), { code: 0, text: '' })
  t.equal(calls(dir).length, 1)
  t.notOk(existsSync(join(dir, '.install-lock')))
})

t.test('a changed lock file and a package that went away are installed again', async (t) => {
  const dir = createProject(t)
  await install(dir)
  writeFileSync(join(dir, 'package-lock.json'), lockFile('1.1.0'))
  await install(dir)
  t.equal(calls(dir).length, 2)
  writeFileSync(join(dir, 'node_modules/left/package.json'), '')
  t.equal((await install(dir)).code, 0)
  t.equal(calls(dir).length, 3)
})

t.test('a failed installation says so, ends with the code of npm and is tried again', async (t) => {
  const dir = createProject(t)
  writeFileSync(join(dir, 'fail'), '')
  t.match(await install(dir), { code: 7, text: /npm ci failed/ })
  t.match(await install(dir), { code: 7 })
  t.equal(calls(dir).length, 2)
})

t.test('without npm there is a message', async (t) => {
  const dir = createProject(t)
  rmSync(join(dir, 'bin/npm'))
  t.match(await install(dir), { code: 1, text: /npm cannot be started/ })
})

t.test('two that start at once install once', async (t) => {
  const dir = createProject(t)
  const both = await Promise.all([install(dir), install(dir)])
  t.same(
    both.map(({ code }) => code),
    [0, 0],
  )
  t.equal(calls(dir).length, 1)
})

t.test('the lock of an installer that is gone is taken over', async (t) => {
  const dir = createProject(t)
  const gone = spawn(process.execPath, ['-e', ''])
  await once(gone, 'close')
  mkdirSync(join(dir, 'node_modules'))
  writeFileSync(join(dir, '.install-lock'), String(gone.pid))
  t.match(await install(dir), { code: 0 })
  t.equal(calls(dir).length, 1)
})
