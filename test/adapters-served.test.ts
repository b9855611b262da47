/**
 * LoRA adapters behind a real server, chosen by `model`: PEFT's numbers over HTTP, adapters that come and go while
 * streams run, and the same adapters by the command line. Over reference checkpoints.
 */
import { cp, mkdir, readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { AdapterList } from '../schemas/adapters.ts'
import { Completion } from '../schemas/completions.ts'
import { ModelList } from '../schemas/models.ts'
import { OrtModelStep } from '../src/engine/ort-model-step.ts'
import { readFrames } from './http/client.ts'
import { largestDifference } from './fixtures/nd-array.ts'
import { expectedOf, folderOf, referenceFolders, skip } from './fixtures/reference-folders.ts'
import { runCli } from './fixtures/run-cli.ts'
import { startServer } from './fixtures/run-server.ts'

const TOLERANCE = 1e-3
const [first, second] = ['qwen3', 'phi3']
const absent = skip || !referenceFolders.includes(first) || !referenceFolders.includes(second)
const trained = (name: string): string => join(folderOf(name), 'lora-trained')

t.test(
  'adapters are models of their own',
  { skip: absent && 'the reference checkpoints are not here' },
  async (t) => {
    const home = t.testdir()
    await mkdir(join(home, 'imports'))
    await cp(trained(first), join(home, 'imports/late'), { recursive: true })
    const args = [first, second].flatMap((name) => ['--model', folderOf(name)])
    const server = await startServer(home, [...args, '--adapter', `poet=${trained(first)}`, '--adapter', `sage=${trained(second)}`]) // prettier-ignore
    t.teardown(() => server.stop())

    const ask = async (path: string, body: object) => {
      const response = await server.post(path, body)
      return { status: response.status, body: response.status === 204 ? null : ((await response.json()) as { error: { message: string } }) } // prettier-ignore
    }
    const complete = async (model: string, body: object): Promise<Completion> =>
      Completion.parse((await ask('/v1/completions', { model, ...body })).body)
    const greedy = async (model: string, prompt: number[], more = {}): Promise<number[]> => {
      const body = { prompt, max_tokens: 24, temperature: 0, ignore_eos: true, return_token_ids: true, ...more } // prettier-ignore
      return (await complete(model, body)).choices[0]!.token_ids!
    }

    await t.test('the list names them with the model that they belong to', async (t) => {
      const { data } = ModelList.parse(await (await server.get('/v1/models')).json())
      t.same(
        data.map(({ id, parent }) => [id, parent]),
        [[first, null], [second, null], ['poet', first], ['sage', second]], // prettier-ignore
      )
    })

    await t.test('what comes out is what PEFT computed', async (t) => {
      for (const [name, adapter] of [
        [first, 'poet'],
        [second, 'sage'],
      ] as const) {
        const { tokens, train } = expectedOf(name)
        const logits = train.lora.logits_after_at_39
        const prompt = logits.map((_, token) => [...tokens, token])
        const { choices } = await complete(adapter, {
          prompt,
          max_tokens: 0,
          echo: true,
          logprobs: 0,
        })
        const less = choices.map(
          (choice, i) => logits[i]! - choice.logprobs!.token_logprobs.at(-1)!,
        )
        const difference = largestDifference(less, less.map(() => less[0]!)) // prettier-ignore
        t.ok(less.length >= 40 && difference < TOLERANCE, `${adapter}: ${less.length} logits, ${difference}`) // prettier-ignore
      }
    })

    /** The log-probabilities of a drawn text: greedy texts of these tiny models hardly differ. */
    const drawn = async (model: string): Promise<number[]> => {
      const body = { prompt: expectedOf(first).tokens, max_tokens: 20, temperature: 1, seed: 5, ignore_eos: true, logprobs: 0 } // prettier-ignore
      return (await complete(model, body)).choices[0]!.logprobs!.token_logprobs as number[]
    }

    await t.test('base and adapters side by side answer as they do alone', async (t) => {
      const alone = { poet: await drawn('poet'), [first]: await drawn(first) }
      t.ok(largestDifference(alone.poet, alone[first]!) > 0.01)
      const models = ['poet', first, 'poet', first, first, 'poet'] as const
      const found = await Promise.all(models.map(drawn))
      found.forEach((logprobs, i) => {
        const difference = largestDifference(logprobs, alone[models[i]!]!)
        t.ok(difference < TOLERANCE, `${models[i]}: ${difference}`)
      })
    })

    await t.test('one is loaded and unloaded while replies are written', async (t) => {
      const { prompt, next_24: next } = expectedOf(first).greedy
      const long = { prompt, max_tokens: 200, temperature: 0, ignore_eos: true, stream: true, return_token_ids: true } // prettier-ignore
      const streamed = async (model: string): Promise<{ tokens: number[]; last: string }> => {
        const response = await server.post('/v1/completions', { model, ...long })
        const frames = readFrames(await response.text())
        const tokens = frames.slice(0, -1).flatMap((frame) => JSON.parse(frame).choices[0].token_ids ?? []) // prettier-ignore
        return { tokens, last: frames.at(-1)! }
      }
      const whole = await streamed('poet')
      const running = [streamed('poet'), streamed(first)]
      const load = { lora_name: 'late', lora_path: 'late', base_model_name: first }
      t.match(await ask('/v1/load_lora_adapter', load), { status: 200, body: { id: 'late', base: first, served: true } }) // prettier-ignore
      t.equal((await ask('/v1/load_lora_adapter', load)).status, 409)
      t.ok(largestDifference(await drawn('late'), await drawn('poet')) < TOLERANCE)
      const late = streamed('late')
      await greedy('late', prompt, { max_tokens: 1 })
      t.equal((await ask('/v1/unload_lora_adapter', { lora_name: 'late' })).status, 204)
      t.match(await ask('/v1/completions', { model: 'late', prompt }), { status: 404, body: { error: { message: /late/ } } }) // prettier-ignore
      const [poet, base, ended] = await Promise.all([...running, late])
      t.same(poet, whole)
      t.same(ended!.tokens, whole.tokens, 'a stream outlives its adapter')
      t.same(base!.tokens.slice(0, 24), next)
      t.same(new Set([poet!.last, base!.last, ended!.last]), new Set(['[DONE]']))
      t.equal((await ask('/v1/unload_lora_adapter', { lora_name: 'late' })).status, 404)
    })

    await t.test('what does not fit is refused', async (t) => {
      const load = (body: object) => ask('/v1/load_lora_adapter', { lora_name: 'odd', lora_path: 'late', ...body }) // prettier-ignore
      t.match(await load({ base_model_name: second }), { status: 400, body: { error: { code: 'bad_checkpoint' } } }) // prettier-ignore
      t.equal((await load({ base_model_name: 'nobody' })).status, 404)
      t.equal((await load({ lora_path: '../../etc' })).status, 400)
      t.equal((await load({ lora_name: '../odd' })).status, 400)
      t.same(AdapterList.parse(await (await server.get('/v1/adapters')).json()).data, [])
    })

    await t.test(
      'the command line imports beside the running server, exports, merges, deletes',
      async (t) => {
        const cli = async (...argv: string[]) => {
          const { code, stdout, stderr } = await runCli(home, 'adapter', ...argv)
          return { code, stderr, json: stdout === '' ? null : JSON.parse(stdout) }
        }
        const imported = await cli('import', trained(first), '--name', 'bard', '--base', folderOf(first), '--json') // prettier-ignore
        t.match(imported, { code: 0, json: { name: 'bard', base: first } })
        const { prompt } = expectedOf(first).greedy
        for (
          let tries = 0;
          tries < 100 && (await ask('/v1/completions', { model: 'bard', prompt })).status === 404;
          tries++
        ) {
          await new Promise((resolve) => setTimeout(resolve, 100))
        }
        t.same(
          await greedy('bard', prompt),
          await greedy('poet', prompt),
          'noticed without a restart',
        )
        const out = join(home, 'exported')
        t.equal((await cli('export', 'bard', out, '--json')).code, 0)
        t.same((await readdir(out)).sort(), ['adapter_config.json', 'adapter_model.safetensors'])
        const weights = (dir: string) => readFile(join(dir, 'adapter_model.safetensors'))
        t.ok((await weights(out)).equals(await weights(trained(first))))
        const merged = await cli('merge', 'bard', '--name', 'whole', '--base', folderOf(first), '--json') // prettier-ignore
        t.equal(merged.code, 0, merged.stderr)
        const { tokens, train } = expectedOf(first)
        const step = await OrtModelStep.create({ modelDir: join(home, 'models/whole'), slots: 1, contextLength: 64 }) // prettier-ignore
        const logits = await step.prefill({ slot: 0, tokens, start: 0, logitPositions: [39] })
        const wanted = train.lora.logits_after_at_39
        t.ok(largestDifference(logits.subarray(0, wanted.length), wanted) < 1e-4)
        step.dispose()
        t.equal((await cli('delete', 'bard', '--json')).code, 0)
        t.match(await cli('delete', 'bard', '--json'), {
          code: 2,
          stderr: /there is no adapter "bard"/,
        })
        t.match(await cli('import', trained(first), '--name', 'x', '--base', folderOf(second), '--json'), { code: 2, stderr: /lora_[AB]\.weight": expected|is no linear layer/ }) // prettier-ignore
      },
    )
  },
)
