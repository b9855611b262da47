/** Questions about monsters: the lair, the hour, the weakness. */
import { monsters } from '../world/monsters.ts'
import { topicsOf } from './topic.ts'

const fillers = [
  'the [shepherds|miners|hunters] talk of little else[. They carry torches even at noon|]',
  'nobody sleeps well these days[. Every noise makes us sit up|]',
  'the captain put up a [reward|notice] about {np}[. It hangs at the gate|]',
  'last [autumn|winter|spring] we lost two [sheep|cows|carts][. This year it was more|]',
  'my [cousin|brother|neighbour] saw {np} and ran home[. He has not left the house again|]',
  'the old songs speak of {np}[. As a child I did not believe a word|]',
  'there are claw marks on the [barn door|gate|mill wall][. They are as deep as my finger|]',
  'mothers tell their children about {np}[. It keeps them in bed|]',
  'three [hunters|soldiers|knights] went out and one came back[. He does not speak about it|]',
  'the guards walk in pairs now[. One looks ahead, the other looks back|]',
]

export const monsterTopics = topicsOf(
  'monster',
  { entities: monsters, fillers },
  {
    where: {
      weight: 1.5,
      ask: [
        'where {is} {np}?',
        'where can I find {np}?',
        'where {does} {np} live?',
        'I want to hunt {np}. Where do I go?',
        'I heard about {np}. Where is the lair?',
      ],
      followUp: [
        'where can I find {them}?',
        'where {does} {they} live?',
        'and where {is} {they} now?',
      ],
      about: 'the lair of {np}',
      facts: [
        '{np} live{s} {lair}',
        'the lair of {np} is {lair}',
        '{they} live{s} {lair}',
        '{np} hide{s} {lair}',
        'hunters saw {np} {lair}',
      ],
      details: [
        'except {when}',
        'unless hunters were there first',
        'as long as nobody wakes {them}',
        'because nobody dares to go there',
      ],
      steps: [
        'follow the tracks [from the gate|in the mud].',
        'take a strong [shield|spear] with you.',
        'I can mark the spot on your map.',
        'let me show you the trail.',
        'ask for a guide at the gate.',
        'go there in daylight.',
      ],
    },
    weakness: {
      weight: 1.5,
      ask: [
        'how do I [kill|fight|beat] {np}?',
        'what {does} {np} fear?',
        'what helps against {np}?',
        'how can I defeat {np}?',
        'do you know a weakness of {np}?',
      ],
      followUp: [
        'how do I fight {them}?',
        'what helps against {them}?',
        'how can I beat {them}?',
        'and what {does} {they} fear?',
      ],
      about: 'fighting {np}',
      facts: [
        'use {weakness} against {np}',
        '{np} fear{s} {weakness}',
        '{they} fear{s} {weakness}',
        'you beat {np} with {weakness}',
        'hunters beat {np} with {weakness}',
      ],
      details: [
        'as long as you strike first',
        'except {when}',
        'provided you stay calm',
        'unless you are alone',
      ],
      steps: [
        'take two [helpers|men|torches] with you.',
        'I can lend you a [spear|torch|shield].',
        'rest well the night before.',
        'buy what you need at the market.',
        'let me teach you one good blow.',
        'go there with a plan.',
        'bring me proof and I pay you.',
      ],
    },
    danger: {
      ask: [
        'when {does} {np} come?',
        '{is} {np} dangerous?',
        'what {does} {np} do?',
        'should I fear {np}?',
        'are the roads safe from {np}?',
      ],
      followUp: ['when {does} {they} come?', '{is} {they} dangerous?', 'what {does} {they} do?'],
      about: 'the danger of {np}',
      facts: ['{np} {harm} {when}', '{when} {np} {harm}', '{they} {harm} {when}'],
      details: ['because {reason}', 'since {reason}'],
      steps: [
        'leave the road before dusk.',
        'carry {weakness} if you can.',
        'I can give you a safe bed.',
        'knock at any door if you see {them}.',
        'come inside before dark.',
        'take the south road.',
        'let me warn the guards for you.',
      ],
    },
  },
)
