/**
 * Entry of an engine process: one model behind the parent's message channel. Started by `engine-client.ts`
 * through `child_process.fork`; a crash here costs one model for a moment, never the server.
 */
import { hostEngine } from './services/engine-host.ts'
import { loadModelRuntime } from './services/model-runtime.ts'
import { saveCompileCache } from './util/compile-cache.ts'

if (!process.send) {
  process.stderr.write('engine-process.ts is started by the server, not by hand\n')
  process.exit(2)
}

// Ctrl-C reaches the whole process group; the server shuts its engines down itself.
process.on('SIGINT', () => {})

hostEngine(
  {
    // A message to a parent that has just gone has no reader; `disconnect` ends this process.
    send: (message) => void (process.connected && process.send!(message, () => {})),
    onMessage: (listener) => void process.on('message', listener),
    onDisconnect: (listener) => void process.on('disconnect', listener),
    exit: (code) => process.exit(code),
  },
  async (dir, options) => {
    const runtime = await loadModelRuntime(dir, options, (line) => {
      process.stderr.write(`${options.id ?? dir}: ${line}\n`)
    })
    saveCompileCache()
    return runtime
  },
)
