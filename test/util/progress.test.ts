import { PassThrough } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { createProgress } from '../../src/util/progress.ts'

/** A stream as `process.stderr` is without, or with, a terminal. */
function createStream(isTTY: boolean) {
  const stream = Object.assign(new PassThrough(), {
    isTTY,
    columns: 80,
    cursorTo: () => true,
    clearLine: () => true,
    moveCursor: () => true,
  })
  const read = () => String(stream.read() ?? '')
  return { stream: stream as unknown as NodeJS.WriteStream, read }
}

t.test('without a terminal lines come at intervals, and one at the end', async (t) => {
  const { stream, read } = createStream(false)
  const progress = createProgress({
    label: 'train x',
    total: 3,
    unit: 'steps',
    stream,
    intervalMs: 20,
  })
  progress.update(1, 'loss 2')
  t.equal(read(), '', 'not at once')
  await sleep(25)
  progress.update(2, 'loss 1')
  t.equal(read(), 'train x 2/3 steps loss 1\n')
  progress.update(3, 'loss 0')
  progress.stop()
  t.equal(read(), 'train x 3/3 steps loss 0\n')
})

t.test('a line without unit and note ends with its numbers', async (t) => {
  const { stream, read } = createStream(false)
  createProgress({ label: 'label', total: 1, stream }).update(1)
  t.equal(read(), 'label 1/1\n')
})

t.test('on a terminal there is a bar', async (t) => {
  const { stream, read } = createStream(true)
  const progress = createProgress({ label: 'train x', total: 4, unit: 'steps', stream })
  progress.update(4, 'loss 1.5')
  progress.stop()
  const shown = read()
  t.match(shown, /train x .*100% \| 4\/4 steps \| .* left \| loss 1\.5/)
})
