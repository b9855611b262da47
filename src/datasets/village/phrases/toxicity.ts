/** Rudeness: 0 warm courtesy, 1 curt, 2 rude, 3 one insult, 4 several vicious ones (but fit for a child's ears). */
import type { Level } from '../levels.ts'

/** `lead` stands first, `close` last, `call` is a vocative joined to a sentence by a comma. */
export interface ToneForms {
  readonly lead: readonly string[]
  readonly close: readonly string[]
  readonly call: readonly string[]
}

const fools = '[fool|oaf|dolt|halfwit|dunce|simpleton|blockhead|clod|buffoon|lout|nitwit|dimwit]'
const foul =
  '[filthy|rotten|brainless|worthless|stinking|slimy|pathetic|disgusting|wretched|gutless|spineless|mangy|vile]'
const beast = '[maggot|rat|worm|toad|swine|leech|slug|cockroach|weasel]'
const mass = '[scum|vermin|dung]'

export const toneForms: Readonly<Record<Level, ToneForms>> = {
  0: {
    lead: [
      '[gladly|welcome|with pleasure], [my |dear |]friend.',
      'welcome, [dear guest|traveller|kind soul].',
      '[gladly|with pleasure], dear [guest|traveller|neighbour].',
      'bless you, [traveller|dear guest|kind soul].',
      'how [kind|sweet|lovely] of you to ask.',
      'I am [glad|delighted|honoured] that you ask.',
      'it is a pleasure to see you.',
      'what a pleasure, [friend|dear guest].',
      'please, [sit down|make yourself at home], [friend|dear guest].',
      'my dear [friend|traveller|guest]!',
    ],
    close: [
      '[bless you|bless your heart|thank you], [friend|dear guest|kind traveller].',
      'it was my pleasure.',
      'you are always welcome here.',
      'you are most welcome, [friend|traveller|dear guest].',
      'thank you for [asking|coming|your visit].',
      'I am glad you came.',
      'you have a kind heart.',
      'please be well, [friend|dear traveller].',
    ],
    call: [
      'friend',
      'my friend',
      'dear friend',
      'dear traveller',
      'dear guest',
      'kind traveller',
      'my dear',
    ],
  },
  1: {
    lead: [
      '[be quick|be brief|quickly], then.',
      'hm.',
      'hm, [fine|very well|what now].',
      'make it [quick|short].',
      'I am busy.',
      'I am short on time.',
      'right, then.',
      'so be it.',
      'what now?',
      'just this once.',
    ],
    close: [
      'that is all.',
      'nothing more.',
      'now move along.',
      'that is all, [move along|I am busy].',
      'I am busy.',
      'so be it.',
      'time is short.',
      'move along.',
    ],
    call: [],
  },
  2: {
    lead: [
      'you are wasting my time.',
      'stop [bothering|pestering|annoying|nagging] me.',
      'how [tiresome|annoying|tedious|boring].',
      'what a [silly|tedious|boring|tiresome] thing to say.',
      'not you again, what a nuisance.',
      'I am [sick of|fed up with] strangers.',
      'must you bother me now?',
      'quit [whining|babbling|nagging].',
      'hurry up and stop babbling.',
      'you have bad manners.',
      'shut up and hear me.',
    ],
    close: [
      'now [get lost|go away].',
      'now get out of my sight.',
      'now stop [bothering|annoying|pestering] me.',
      'you waste my day.',
      'nobody asked you to come.',
      'what a nuisance you are.',
      'go away and bother someone else.',
      'stop whining now.',
      'you bore me.',
    ],
    call: ['you nuisance', 'you silly thing', 'you tiresome thing'],
  },
  3: {
    lead: [
      `listen, you ${fools}.`,
      `you ${fools}!`,
      `what a ${fools} you are.`,
      `only a ${fools} would say that.`,
      `are you a ${fools}?`,
      `you sound like a ${fools}.`,
      `not another ${fools}!`,
      `even a ${fools} knows that.`,
    ],
    close: [
      `now leave, you ${fools}.`,
      `you ${fools}.`,
      `what a ${fools} you are.`,
      `I have no love for a ${fools} like you.`,
      `remember that, you ${fools}.`,
      `think, you ${fools}.`,
    ],
    call: [`you ${fools}`, `you big ${fools}`, `you poor ${fools}`],
  },
  4: {
    lead: [
      `you ${foul}, ${foul} ${beast}!`,
      `you ${foul} ${fools}, you ${foul} ${beast}!`,
      `${foul} ${beast}, you ${foul} ${mass}!`,
      `look at you, you ${foul}, ${foul} ${beast}!`,
      `you ${foul} heap of ${mass}!`,
      `you are a ${foul} ${beast} and a ${foul} ${fools}.`,
      `I have seen ${foul} ${mass} with more sense than you, ${beast}.`,
    ],
    close: [
      `now crawl away, you ${foul} ${beast}.`,
      `choke on it, you ${foul} ${mass}.`,
      `you are nothing but ${foul}, ${foul} ${mass}.`,
      `I spit on you, you ${foul} ${beast}.`,
      `rot in a ditch, you ${foul}, ${foul} ${beast}.`,
      `you make me sick, you ${foul} ${beast}.`,
    ],
    call: [`you ${foul} ${beast}`, `you ${foul}, ${foul} ${beast}`, `you ${foul} ${mass}`],
  },
}
