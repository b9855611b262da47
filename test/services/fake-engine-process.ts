/** An engine process without a model, for `engine-client.test.ts`. The folder's name says how it behaves. */
import { fail } from '../../src/errors.ts'
import { hostEngine } from '../../src/services/engine-host.ts'
import { fakeLanguageModel } from './fake-runtime.ts'

const replies = ['I am ', 'here.']

hostEngine(
  {
    send: (message) => void process.send!(message, () => {}),
    onMessage: (listener) => void process.on('message', listener),
    onDisconnect: (listener) => void process.on('disconnect', listener),
    exit: (code) => process.exit(code),
  },
  async (dir) => {
    if (dir === 'broken') fail('BAD_CHECKPOINT', 'config.json: hidden_size is missing')
    if (dir === 'dies') process.exit(7)
    const runtime = fakeLanguageModel(replies, { hang: dir === 'hangs' })
    return {
      ...runtime,
      async predict(inputs) {
        if (inputs.length === 0) throw new Error('no inputs')
        return inputs.map((input) => ({ humor: 'text' in input ? 0 : input.length }))
      },
    }
  },
)
