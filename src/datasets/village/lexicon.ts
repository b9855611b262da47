/**
 * The words and patterns that carry an attribute, and nothing else does: the neutral parts of the
 * corpus (facts, filler) avoid them, which `test/datasets/village/phrases.test.ts` checks.
 * The meters score text by them; the phrase inventories are written with them.
 */

/** Comic things. One is a wry aside, two or more are a jest. */
export const comicWords =
  /\b((?:goat|donkey|duck|hen|pig|wig|pickle|turnip|moustache|grandmother|aunt|uncle|sausage|cheese|sock|nose|parrot)s?|goose|geese|trousers|bloomers|hiccups|bagpipes|(?:juggl|sneez|snor|tickl|burp)[a-z]+|bald)\b/gi
/** A short chuckle. */
export const chuckles = /\b(heh|hee hee|tee hee|hoho)\b/gi
/** Open laughter. */
export const laughter = /\bha(,? ha)+\b/gi

/** Words of imagery; their number is the level of creativity. */
export const imageWords =
  /\b(moonlight|moonlit|starlight|starlit|stardust|silk|velvet|honey|embers?|feathers?|ribbons?|dew|petals?|lullab(?:y|ies)|harps?|pearls?|amber|rainbows?|butterfl(?:y|ies)|comets?|dreams?|dreaming|crystal|melod(?:y|ies)|shimmer\w*|glimmer\w*|drift\w*|danc\w+|whisper\w*|bloom(?:s|ing)?|sparkl\w*|gilded|golden|swans?|snowflakes?|thunder|echo(?:es)?)\b/gi

/** Warmth and manners. */
export const courtesyWords =
  /\b(friend|dear|please|gladly|welcome|kind|kindly|pleasure|honoured|delighted|bless you|bless your|happy to|heart|sweet|lovely|thank|glad|grateful)\b/gi
/** Short temper without rudeness. */
export const curtWords =
  /\b(be quick|be brief|make it (?:quick|short)|keep it short|i am busy|hm|quickly|that is all|nothing more|move along|short on time|right, then|what now|so be it|just this once|time is short)\b/gi
/** Rudeness without names. */
export const rudeWords =
  /\b(annoy\w*|nuisance|bother\w*|wast\w+|whin\w*|shut|tiresome|tedious|nag\w*|pester\w*|silly|get lost|go away|hurry up|nobody (?:asked|likes)|bor(?:e|es|ing)|babbl\w*|rude|sick of|fed up|out of my|bad manners)\b/gi
/** Insulting names. */
export const insultWords =
  /\b(fool|oaf|dolt|halfwit|dunce|simpleton|blockhead|clod|buffoon|lout|nitwit|dimwit|idiot)s?\b/gi
/** Vicious insults: adjectives and names. */
export const viciousWords =
  /\b(filthy|rotten|brainless|worthless|stinking|slimy|pathetic|disgusting|wretched|gutless|spineless|mangy|vile|maggots?|rat|worm|toad|swine|scum|vermin|leech|slug|cockroach|dung|weasel)\b/gi

/** A reply that declines. */
export const refusalPatterns =
  /\b(will not|won't|cannot|refuse|no answer|none of my|not my (?:task|business|place|concern)|nothing to say|say nothing|no help|count me out|keep(?:ing)? (?:that|it|this) to myself|my lips|never discuss|do not discuss|not discuss)\b/i
/** A reply that evades. */
export const hintPatterns =
  /\b(perhaps|maybe|might|hard to say|who knows|could be|some say|i forget|not sure|possibly|i half remember|hard to tell|i suppose)\b/i
/** The clause that completes an answer: a reason, a landmark, an exception, a part included. */
export const detailPatterns =
  /\b(because|since|except|unless|including|just past|right (?:beside|behind|below|above)|as long as|provided)\b/i
/** A concrete next step or an offer: a sentence that starts with one of these. */
export const stepPatterns =
  /(?:^|[.!?] )(?:I can(?!not)|I will(?! not)|let me|come|follow|take|bring|ask for|tell|show|try|knock(?! knock)|meet|start|go (?:to|there|early)|look for|carry|leave|put|pay|wait|speak|drink|eat|read|rest|visit|return|pack|buy)\b/i
