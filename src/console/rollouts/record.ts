import type { Actor } from '../../bmc/actor.ts'
import type { Bmc } from '../../bmc/bmc.ts'
import type { Entries, RolloutPart } from '../../bmc/state.ts'
import type { Changes } from '../../rollout/live.ts'
import type {
  RolloutBase,
  RolloutHead,
  RolloutRecord,
  TargetRecord,
  WaveRecord,
} from '../../rollout/state.ts'

/** What of a roll-out never changes, with what those who carry it out need to know of its request. */
export interface Asked {
  readonly base: RolloutBase
  readonly actor: Actor
  /** Where it was asked for. */
  readonly targetUri: string
  readonly force: boolean
  /** Of the image. */
  readonly sha256: string
  /** The task by which it began: the number of everything that it brings about. */
  readonly group: number
}

/** How it goes, and what it is done with as long as that is needed. */
export interface HeadPart {
  readonly head: RolloutHead
  readonly image: KeptImage | undefined
}

export interface KeptImage {
  readonly sha256: string
  readonly fileName: string
}

/** What is kept of an image. */
export function keptOf({ sha256, fileName }: KeptImage): KeptImage {
  return { sha256, fileName }
}

const HEAD = 'head'
const WAVE = 'wave'
const TARGET = 'target'

/** A roll-out as it is kept: in parts, so that what becomes of one device is one small record. */
export interface KeptRollout {
  readonly asked: Asked
  readonly image: KeptImage | undefined
  readonly record: RolloutRecord
}

/** The entries of a roll-out that begins. */
export function newParts(asked: Asked, record: RolloutRecord, image: KeptImage): Entries<RolloutPart> {
  return [[asked.base.id, asked], ...changedParts(asked.base.id, record, image)]
}

/** The entries of what has changed. */
export function changedParts(
  id: string,
  { head, waves, targets }: Changes,
  image: KeptImage | undefined,
): Entries<RolloutPart> {
  const part: HeadPart | undefined = head && { head, image }
  return [
    ...(part ? [[`${id}/${HEAD}`, part] as const] : []),
    ...waves.map((wave) => [`${id}/${WAVE}/${wave.index}`, wave] as const),
    ...targets.map((target) => [`${id}/${TARGET}/${target.id}`, target] as const),
  ]
}

/** What is kept of how it goes. */
export function headPart({ state }: Bmc, id: string): HeadPart | undefined {
  // What is read here is what was written above; as everywhere below.
  return state.rollouts.get(`${id}/${HEAD}`) as HeadPart | undefined
}

/** What is kept of a device. */
export function targetPart({ state }: Bmc, id: string, target: string): TargetRecord | undefined {
  return state.rollouts.get(`${id}/${TARGET}/${target}`) as TargetRecord | undefined
}

/** All roll-outs that are kept. */
export function keptRollouts({ state }: Bmc): KeptRollout[] {
  const found = new Map<
    string,
    { asked?: Asked; head?: HeadPart; waves: WaveRecord[]; targets: TargetRecord[] }
  >()
  for (const [key, part] of state.rollouts) {
    const [id = '', kind] = key.split('/')
    const one = found.get(id) ?? { waves: [], targets: [] }
    found.set(id, one)
    if (kind === undefined) one.asked = part as Asked
    else if (kind === HEAD) one.head = part as HeadPart
    else if (kind === WAVE) one.waves.push(part as WaveRecord)
    else one.targets.push(part as TargetRecord)
  }
  return [...found.values()].flatMap(({ asked, head, waves, targets }) =>
    asked === undefined || head === undefined
      ? []
      : [
          {
            asked,
            image: head.image,
            record: {
              ...asked.base,
              head: head.head,
              waves: waves.toSorted((a, b) => a.index - b.index),
              targets,
            },
          },
        ],
  )
}

/** The digest of the image that a part says is needed. */
export function imageOfPart(part: object): string | undefined {
  return 'head' in part ? (part as HeadPart).image?.sha256 : undefined
}
