import type { Bmc } from '../bmc/bmc.ts'
import { fail, type Result, succeed, unreachable } from '../lib/result.ts'

/** Which BMC of which group is where. */
export interface Place {
  readonly group: string
  /** Counts from 1. */
  readonly number: number
  /** Counts from 0: what its address and its ports follow from. */
  readonly slot: number
}

/** A BMC and its place in the fleet. */
export interface Member extends Place {
  readonly bmc: Bmc
}

/** BMCs that are made alike. */
export interface Group {
  readonly name: string
  /** The group's BMC with this number, which counts from 1: the same whenever it is made. */
  readonly make: (number: number) => Bmc
}

export type AddProblem =
  | { readonly kind: 'unknown-group'; readonly group: string }
  | { readonly kind: 'full'; readonly capacity: number }
  /** Another group has a BMC of this name. */
  | { readonly kind: 'name'; readonly id: string }

/** Why BMCs of a group cannot be added, in words. */
export function whyNotAdded(problem: AddProblem): string {
  switch (problem.kind) {
    case 'unknown-group':
      return `there is no group called ${problem.group}`
    case 'full':
      return `there is room for ${problem.capacity} BMCs`
    case 'name':
      return `there is a BMC called ${problem.id} already`
    default:
      return unreachable(problem)
  }
}

type Listener = (member: Member) => void | Promise<void>

/** The BMCs of the service, by place and by name. They come and go while it runs. */
export class Fleet {
  readonly #groups: ReadonlyMap<string, Group>
  readonly #capacity: number
  readonly #slots: (Member | undefined)[] = []
  readonly #byId = new Map<string, Member>()
  /** The BMCs of each group, by their numbers. */
  readonly #numbers = new Map<string, (Member | undefined)[]>()
  readonly #added = new Set<Listener>()
  readonly #removed = new Set<Listener>()

  /** A fleet that has nobody yet, and room for as many as can be reached. */
  constructor(groups: Iterable<Group>, capacity = Infinity) {
    this.#groups = new Map([...groups].map((group) => [group.name, group]))
    this.#capacity = capacity
  }

  get size(): number {
    return this.#byId.size
  }

  at(slot: number): Member | undefined {
    return this.#slots[slot]
  }

  find(id: string): Member | undefined {
    return this.#byId.get(id)
  }

  /** In the order of their slots. */
  *members(): IterableIterator<Member> {
    for (const member of this.#slots) if (member) yield member
  }

  /** Told of every BMC that comes, once it can be found. */
  onAdded(listener: Listener): void {
    this.#added.add(listener)
  }

  /** Told of every BMC that goes, once it can be found no more; what a listener still has to end, the removal awaits. */
  onRemoved(listener: Listener): void {
    this.#removed.add(listener)
  }

  /** Adds BMCs of a group, all or none, in the places that are free: the lowest first. Resolves when they can be reached. */
  async add(name: string, count = 1): Promise<Result<readonly Member[], AddProblem>> {
    const group = this.#groups.get(name)
    if (group === undefined) return fail({ kind: 'unknown-group', group: name })
    if (this.size + count > this.#capacity) return fail({ kind: 'full', capacity: this.#capacity })
    const made = freePlaces(this.#numbersOf(name), count).map((place) => ({
      place,
      bmc: group.make(place + 1),
    }))
    const ids = made.map(({ bmc }) => bmc.id)
    const seen = new Set<string>()
    const taken = ids.find((id) => this.#byId.has(id) || seen.size === seen.add(id).size)
    if (taken !== undefined) return fail({ kind: 'name', id: taken })
    const slots = freePlaces(this.#slots, count)
    const members = made.map(({ place, bmc }, index) =>
      this.#put(bmc, { group: name, number: place + 1, slot: slots[index] ?? 0 }),
    )
    try {
      for (const member of members) {
        // Somebody may have removed it meanwhile: then nobody hears of it any more.
        if (this.#byId.get(member.bmc.id) === member) await tell(this.#added, member)
        if (this.#byId.get(member.bmc.id) !== member) await tell(this.#removed, member)
      }
    } catch (error) {
      // Some of them cannot be reached: none is there.
      for (const { bmc } of members) await this.remove(bmc.id)
      throw error
    }
    return succeed(members)
  }

  /** Adds a BMC where it was in another run, or else where there is room; `false`: its group, or its name, is not free. */
  async addAt({ group: name, number, slot: wanted }: Place): Promise<boolean> {
    const group = this.#groups.get(name)
    const isFree = this.#slots[wanted] === undefined && wanted < this.#capacity
    const [slot = 0] = isFree ? [wanted] : freePlaces(this.#slots, 1)
    if (group === undefined || slot >= this.#capacity) return false
    const bmc = group.make(number)
    if (this.#byId.has(bmc.id) || this.#numbers.get(name)?.[number - 1]) return false
    await tell(this.#added, this.#put(bmc, { group: name, number, slot }))
    return true
  }

  /** Resolves when nothing works for it any more; `false`: there is none. */
  async remove(id: string): Promise<boolean> {
    const member = this.#byId.get(id)
    if (member === undefined) return false
    this.#slots[member.slot] = undefined
    this.#numbersOf(member.group)[member.number - 1] = undefined
    this.#byId.delete(id)
    await tell(this.#removed, member)
    return true
  }

  #put(bmc: Bmc, place: Place): Member {
    const member = { bmc, ...place }
    this.#slots[place.slot] = member
    this.#numbersOf(place.group)[place.number - 1] = member
    this.#byId.set(bmc.id, member)
    return member
  }

  #numbersOf(group: string): (Member | undefined)[] {
    const numbers = this.#numbers.get(group) ?? []
    this.#numbers.set(group, numbers)
    return numbers
  }
}

async function tell(listeners: Iterable<Listener>, member: Member): Promise<void> {
  await Promise.all([...listeners].map(async (listener) => listener(member)))
}

/** The lowest places that nobody has. */
function freePlaces(taken: readonly unknown[], count: number): number[] {
  const free: number[] = []
  for (let place = 0; free.length < count; place++) if (taken[place] === undefined) free.push(place)
  return free
}
