import { PassThrough } from 'node:stream'
import t from 'tap'
import { createProgress } from '../../src/util/progress.ts'

/** A stream that keeps what is written, as a terminal or as a file. */
function fakeStream(isTTY: boolean) {
  const stream = Object.assign(new PassThrough({ encoding: 'utf8' }), {
    isTTY,
    columns: 120,
    cursorTo: () => true,
    clearLine: () => true,
    clearScreenDown: () => true,
    moveCursor: () => true,
    getColorDepth: () => 1,
    hasColors: () => false,
    getWindowSize: () => [120, 40],
  })
  const text = () => (stream.read() as string | null) ?? ''
  return { stream: stream as unknown as NodeJS.WriteStream, text }
}

t.test('without a terminal there is a line an interval and one at the end', async (t) => {
  const { stream, text } = fakeStream(false)
  const options = { label: 'train', total: 100, unit: 'steps', stream }
  const quiet = createProgress({ ...options, intervalMs: 3_600_000 })
  for (let i = 1; i < 100; i++) quiet.update(i)
  t.equal(text(), '', 'nothing before the interval is over')
  quiet.update(100, 'loss 1.5')
  quiet.stop()
  t.equal(text(), 'train 100/100 steps loss 1.5\n')
  const chatty = createProgress({ ...options, intervalMs: 0 })
  chatty.update(1)
  chatty.update(2)
  t.equal(text(), 'train 1/100 steps\ntrain 2/100 steps\n')
})

t.test('a line without unit and note ends with its numbers', async (t) => {
  const { stream, text } = fakeStream(false)
  createProgress({ label: 'label', total: 1, stream }).update(1)
  t.equal(text(), 'label 1/1\n')
})

t.test('on a terminal there is a bar with the share, the unit and the note', async (t) => {
  const { stream, text } = fakeStream(true)
  const progress = createProgress({ label: 'steer', total: 40, unit: 'replies', stream })
  progress.update(10, 'two left')
  progress.stop()
  const shown = text()
  t.match(shown, /steer/)
  t.match(shown, /25% \| 10\/40 replies/)
  t.match(shown, /two left/)
})

t.test('stopping twice and an empty total do no harm', async (t) => {
  for (const tty of [true, false]) {
    const { stream, text } = fakeStream(tty)
    const progress = createProgress({ label: 'empty', total: 0, stream })
    progress.update(0)
    progress.stop()
    progress.stop()
    t.notMatch(text(), /NaN|Infinity/)
  }
})
