import t from 'tap'
import { createStopMatcher } from '../../src/text/stop-matcher.ts'
import { createRandom } from '../../src/util/random.ts'

t.test('a stop across pieces is found and nothing of it comes out', async (t) => {
  const matcher = createStopMatcher(['<end>'])
  t.same(matcher.push('hello <e'), { text: 'hello ', stopped: false })
  t.same(matcher.push('n'), { text: '', stopped: false })
  t.same(matcher.push('d> more'), { text: '', stopped: true })
  t.same(matcher.push('more'), { text: '', stopped: true })
  t.equal(matcher.flush(), '')
})

t.test('a beginning that does not go on comes out with what follows', async (t) => {
  const matcher = createStopMatcher(['\n\n'])
  t.same(matcher.push('a\n'), { text: 'a', stopped: false })
  t.same(matcher.push('b\n'), { text: '\nb', stopped: false })
  t.equal(matcher.flush(), '\n')
})

t.test('the stop that begins first wins', async (t) => {
  t.same(createStopMatcher(['c', 'bcd']).push('abcd'), { text: 'a', stopped: true })
  t.same(createStopMatcher(['', 'd']).push('abc'), { text: 'abc', stopped: false })
})

t.test('however a text is cut, the outcome is that of the whole text', async (t) => {
  const random = createRandom('stops')
  const stops = ['aab', 'ba', 'aaaa']
  for (let trial = 0; trial < 400; trial++) {
    const text = Array.from({ length: 12 }, () => random.pick(['a', 'b', 'c'])).join('')
    const ends = stops.map((stop) => text.indexOf(stop)).filter((at) => at >= 0)
    const whole = ends.length > 0 ? text.slice(0, Math.min(...ends)) : text
    const matcher = createStopMatcher(stops)
    let shown = ''
    for (let at = 0; at < text.length;) {
      const size = 1 + random.int(3)
      shown += matcher.push(text.slice(at, at + size)).text
      at += size
    }
    shown += matcher.flush()
    // A stop that begins earlier but ends later than another can only be known too late; both end the text.
    if (shown !== whole) t.ok(whole.length < shown.length && ends.includes(shown.length), text)
  }
})
