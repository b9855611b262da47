/**
 * Installs the dependencies when they are missing or older than package-lock.json: `npm start` and
 * `npm test` call it first, on whatever Node ≥ 20 the machine has. Needs no dependency itself.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const stamp = join(root, 'node_modules', '.steerlm-lock-hash')
const lock = join(root, '.install-lock')
const hash = createHash('sha256')
  .update(readFileSync(join(root, 'package-lock.json')))
  .digest('hex')

const installed = () => existsSync(stamp) && readFileSync(stamp, 'utf8') === hash

/** One installer at a time; a second one waits for the first. Returns false after waiting. */
function takeLock() {
  for (let waited = 0; waited < 600; waited++) {
    try {
      mkdirSync(lock)
      return true
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
      if (installed()) return false
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000)
    }
  }
  console.error(`Another installation holds ${lock}; remove it if none is running.`)
  process.exit(1)
}

function install() {
  console.error('Installing dependencies (once) …')
  // The script of onnxruntime-node only downloads CUDA libraries; they are not needed here.
  const env = { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip', NODE_ENV: '' }
  const result = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    env,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  })
  if (result.status !== 0) {
    console.error('npm ci failed; see above. The npm registry must be reachable.')
    return result.status ?? 1
  }
  writeFileSync(stamp, hash)
  return 0
}

if (!installed() && takeLock()) {
  let status = 0
  try {
    if (!installed()) status = install()
  } finally {
    rmdirSync(lock)
  }
  process.exitCode = status
}
