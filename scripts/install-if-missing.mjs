/**
 * Installs the dependencies when they are missing or older than package-lock.json: `npm start` and
 * `npm test` call it first, on whatever Node ≥ 20 the machine has. Needs no dependency itself.
 */
import { spawn } from 'node:child_process'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
/** Holds the process number of the installer at work. */
const lock = join(root, '.install-lock')
const waitMs = 1000
const waitAtMostMs = 15 * 60_000

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'))

/** The version in node_modules, undefined where the package is not there. */
function installedVersion(path) {
  try {
    return readJson(join(root, path, 'package.json')).version
  } catch {
    return undefined
  }
}

/**
 * Whether node_modules holds what package-lock.json says. npm writes its own list there at the end
 * of an installation, but also where it only changes the lock file, so the packages are looked at.
 */
function installed() {
  if (!existsSync(join(root, 'node_modules', '.package-lock.json'))) return false
  const { packages } = readJson(join(root, 'package-lock.json'))
  return Object.entries(packages).every(([path, wanted]) => {
    if (path === '') return true // the project itself
    const version = installedVersion(path)
    // Optional packages are for other platforms.
    return version === wanted.version || (version === undefined && wanted.optional === true)
  })
}

function isRunning(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

/** Takes the lock, or takes it over where its owner is gone (an interrupted installation). */
function takeLock() {
  try {
    writeFileSync(lock, String(process.pid), { flag: 'wx' })
    return true
  } catch (error) {
    if (error.code !== 'EEXIST') throw error
  }
  try {
    const owner = Number(readFileSync(lock, 'utf8'))
    // An empty file: the owner is just writing its number.
    if (owner > 0 && !isRunning(owner)) rmSync(lock, { force: true })
  } catch (error) {
    if (error.code !== 'ENOENT') throw error
  }
  return false
}

/** Resolves to the exit status. An interruption reaches npm too; this process waits for its end. */
function runNpm() {
  // The script of onnxruntime-node only downloads CUDA libraries; they are not needed here.
  const env = { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip', NODE_ENV: '' }
  const child = spawn('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    env,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  })
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal))
  return new Promise((resolve) => {
    child.on('error', (error) => {
      console.error(`npm cannot be started: ${error.message}`)
      resolve(1)
    })
    child.on('close', (code) => resolve(code ?? 1))
  })
}

async function install() {
  console.error('Installing dependencies (once) …')
  const status = await runNpm()
  if (status !== 0) console.error('npm ci failed; see above. The npm registry must be reachable.')
  return status
}

async function main() {
  for (let waited = 0; !installed(); waited += waitMs) {
    if (takeLock()) {
      try {
        return installed() ? 0 : await install()
      } finally {
        rmSync(lock, { force: true })
      }
    }
    if (waited === 0) console.error('Waiting for another installation …')
    if (waited >= waitAtMostMs) {
      console.error(`Another installation holds ${lock}; remove it if none is running.`)
      return 1
    }
    await sleep(waitMs)
  }
  return 0
}

/** npm scripts find Node 24 in node_modules/.bin; where install scripts are off it is not there. */
function hasNode24() {
  if (Number(process.versions.node.split('.')[0]) >= 24) return true
  const binary = process.platform === 'win32' ? 'node.exe' : 'node'
  if (existsSync(join(root, 'node_modules', 'node', 'bin', binary))) return true
  console.error(
    'The package "node" has no binary: npm ran no install scripts. Run "npm rebuild node", or use Node 24.',
  )
  return false
}

const status = await main()
process.exitCode = status === 0 && !hasNode24() ? 1 : status
