/** `steerlm serve`: loads models and listens until it is told to stop. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { parseArgs } from 'node:util'
import { describeConfig, readConfig, type Config, type ConfigFlags } from '../config.ts'
import { fail } from '../errors.ts'
import { saveCompileCache } from '../util/compile-cache.ts'
import { createServer, type Server } from '../wiring.ts'

export const help = `steerlm serve [options]

Serves models over HTTP: a page at /, an OpenAI-compatible API at /v1, its documentation at /docs.

  --model NAME   a model to serve, repeatable; a name with a slash is a folder (default: the bundled ones)
  --adapter A    a LoRA adapter to serve beside those of the data folder, NAME=DIR or DIR; repeatable
  --port PORT    where to listen (default: PORT or 8080; 0 takes any free port)
  --host HOST    the address to listen on (default: HOST or 127.0.0.1); others than loopback need API keys
  --device D     where models run: cpu, webgpu or cuda (default: the best there is)
  --kv-memory SIZE     memory of each model for keys and values, such as 512MB or 2GiB; slots and context follow
  --slots N            replies that a model writes at the same time (default: what the memory allows, at most 8)
  --context-length N   tokens of prompt and reply together (default: the model's, at most 4096)
  --queue-limit N      requests that may wait for a model (default: 256); more are refused with 429
  --speculative ngram  guess at tokens from the text so far while one reply is written alone
  --home DIR     the data folder (default: STEERLM_HOME or ~/.steerlm)
  --help         this text
`

/** Returns the exit code. Fails BAD_ARGUMENT, MODEL_NOT_FOUND or with what a model failed to load with. */
export async function run(argv: string[]): Promise<number> {
  const flags = parseFlags(argv)
  if (flags.help) {
    process.stdout.write(help)
    return 0
  }
  const { help: _help, ...given } = flags
  const config = readConfig(given, process.env)
  process.stderr.write(`configuration: ${JSON.stringify(describeConfig(config))}\n`)
  const stop = stopSignal()
  const server = await createServer(config)
  try {
    const url = await listen(server, config)
    process.stdout.write(`steerlm serves ${server.models.join(', ')} on ${url}\n`)
    saveCompileCache()
    await stop
  } finally {
    await server.close()
  }
  return 0
}

function parseFlags(argv: string[]): ConfigFlags & { help?: boolean } {
  try {
    return parseArgs({
      args: argv,
      options: {
        model: { type: 'string', multiple: true },
        adapter: { type: 'string', multiple: true },
        device: { type: 'string' },
        port: { type: 'string' },
        host: { type: 'string' },
        home: { type: 'string' },
        'kv-memory': { type: 'string' },
        slots: { type: 'string' },
        'context-length': { type: 'string' },
        'queue-limit': { type: 'string' },
        speculative: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values
  } catch (error) {
    return fail('BAD_ARGUMENT', (error as Error).message, { cause: error })
  }
}

async function listen(server: Server, config: Config): Promise<string> {
  const { host, port } = config
  try {
    await server.app.listen({ host, port })
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const why = code === 'EADDRINUSE' ? 'the port is in use' : message
    fail(
      'BAD_ARGUMENT',
      `cannot listen on ${host}:${port}: ${why}; choose with --port and --host`,
      {
        cause: error,
        param: '--port',
      },
    )
  }
  const { port: bound } = server.app.server.address() as AddressInfo
  return `http://${host.includes(':') ? `[${host}]` : host}:${bound}`
}

/** Resolves at the first SIGINT or SIGTERM; a second one ends the process as usual. */
function stopSignal(): Promise<unknown> {
  return Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
}
