import { type Bmc, type Component, listComponents } from '../bmc/bmc.ts'

/** So much firmware runs a version, from that moment on. */
export interface VersionCount {
  readonly softwareId: string
  /** What one of the devices calls it. */
  readonly name: string
  readonly version: string
  /** In milliseconds since the epoch. */
  readonly at: number
  readonly count: number
}

/** As fine as timestamps are. */
const SECOND_MS = 1_000
/** How many moments are told of at most, and how many counts, about. */
const MAX_MOMENTS = 100
const MAX_COUNTS = 2_000

/** Firmware of a SoftwareId that runs a version: how much, and how much was told of last. */
interface Series extends Pick<VersionCount, 'softwareId' | 'name' | 'version'> {
  count: number
  told: number
}

/** A piece of firmware runs another version from a moment on. */
interface Move {
  readonly at: number
  readonly from?: Series
  readonly to: Series
}

/**
 * Which versions the firmware of the attached devices ran, since they were attached: the counts that changed, at the
 * moments when they did. Of too many moments some are left out; at those that are told of, all counts are exact.
 */
export function versionsInField(bmc: Bmc): readonly VersionCount[] {
  const all = new Map<string, Series>()
  const names = new Map<string, string>()
  const seriesOf = (component: Component, version: string): Series => {
    const { softwareId } = component
    const name = names.get(softwareId) ?? nameOf(bmc, component)
    names.set(softwareId, name)
    const key = `${softwareId}\n${version}`
    const series = all.get(key) ?? { softwareId, name, version, count: 0, told: 0 }
    all.set(key, series)
    return series
  }
  const moves = listComponents(bmc)
    .flatMap((component) => movesOf(bmc, component, (version) => seriesOf(component, version)))
    .toSorted((a, b) => a.at - b.at)
  const moments = [...Map.groupBy(moves, ({ at }) => Math.floor(at / SECOND_MS) * SECOND_MS)]
  const told = Math.max(2, Math.min(MAX_MOMENTS, Math.floor(MAX_COUNTS / all.size)))
  const every = Math.ceil(moments.length / told)
  return moments.flatMap(([at, some], index) => {
    for (const { from, to } of some) {
      to.count++
      if (from !== undefined) from.count--
    }
    return index % every === 0 || index === moments.length - 1 ? newsOf(all.values(), at) : []
  })
}

/** What has changed since it was last told. */
function newsOf(all: Iterable<Series>, at: number): VersionCount[] {
  return [...all].flatMap((series) => {
    const { softwareId, name, version, count } = series
    if (count === series.told) return []
    series.told = count
    return [{ softwareId, name, version, at, count }]
  })
}

/** What its device calls a piece of firmware. */
function nameOf({ state }: Bmc, { softwareId, on }: Component): string {
  const { firmware = [] } = state.devices.get(on?.device ?? '')?.facts ?? {}
  return firmware.find(({ id }) => id === on?.firmware)?.name ?? softwareId
}

/** What a device became without the console's doing it is since it was seen to be that. */
function movesOf({ state }: Bmc, { id, now, on }: Component, seriesOf: (version: string) => Series): Move[] {
  const device = state.devices.get(on?.device ?? '')
  if (device === undefined) return []
  const history = state.history.get(id) ?? []
  const isOther = history.length > 0 && history.at(-1)?.version !== now.version
  const seen = isOther ? [{ version: now.version, activatedAt: device.seenAt }] : []
  let at = device.attachedAt
  let runs = seriesOf(history[0]?.replaced ?? now.version)
  const moves: Move[] = [{ at, to: runs }]
  for (const { version, activatedAt } of [...history, ...seen]) {
    // Clocks may be set back.
    at = Math.max(at, activatedAt)
    const to = seriesOf(version)
    moves.push({ at, from: runs, to })
    runs = to
  }
  return moves
}
