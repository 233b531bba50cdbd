import { type Bmc, findComponent } from '../bmc/bmc.ts'
import type { PartReached, PlannedImage, VerifiedImage } from '../bmc/operation.ts'
import type { FlashJob } from '../devices/flasher.ts'
import { componentBytes } from '../image/component-bytes.ts'
import type { ReceivedImage } from '../image/receive.ts'
import { openerOf } from './apply-time.ts'
import type { Claim, Claims } from './claims.ts'
import type { Piece } from './crew.ts'
import { gonePiece, isGone } from './gone.ts'
import type { DeviceUpdate } from './device-part.ts'
import { updateDevice } from './device-update.ts'
import { inWordsOf } from './fits.ts'
import type { Verified } from './stages/verify-on-manager.ts'
import type { UpdateRequest } from '../bmc/operation.ts'
import { type Decision, decide } from './policy.ts'
import { requestedReset, resetFor } from './reset-need.ts'
import type { Clock } from '../lib/clock.ts'
import type { Workshop } from './workshop.ts'

/** What is to be done with an image, and the hold on the components that it is for. */
export interface Plan {
  readonly bmc: Bmc
  readonly image: ReceivedImage
  readonly request: UpdateRequest
  /** What was decided from the image's bytes; empty where they could not be read. */
  readonly decisions: readonly Decision[]
  readonly claims: ReadonlyMap<string, Claim>
}

/** A plan whose image the manager has verified. */
export interface VerifiedPlan extends Plan, Verified {
  /** What an earlier run of the service had verified it for, of which something may be gone. */
  readonly updates?: VerifiedImage['updates']
}

/** Decides what the image is for and claims it; `undefined` where somebody else works on one of the components. */
export function makePlan(
  bmc: Bmc,
  image: ReceivedImage,
  request: UpdateRequest,
  claims: Claims,
): Plan | undefined {
  // Of a roll-out, what becomes of each device is decided when its turn has come.
  const isForOne = request.rollOut === undefined
  const decisions = isForOne && image.contents.ok ? decide(bmc, image.contents.value, request) : []
  const components = decisions.flatMap((one) => (one.kind === 'update' ? [one.component] : []))
  // Who only asks what would be done keeps nobody from doing it.
  const mine = claims.take(bmc, request.dryRun ? [] : components)
  return mine && { bmc, image, request, decisions, claims: mine }
}

/** An image as its operation's record has it, as far as it is known. */
export function planned({
  image: { sha256, fileName },
  request,
}: Pick<Plan, 'image' | 'request'>): PlannedImage {
  return { sha256, fileName, request }
}

export function plannedAndVerified(plan: VerifiedPlan): PlannedImage {
  const { signer, told } = plan
  return { ...planned(plan), verified: { signer, told, updates: updatesOf(plan) } }
}

function updatesOf({ decisions, updates }: VerifiedPlan): VerifiedImage['updates'] {
  const decided = () =>
    decisions.flatMap((one) =>
      one.kind === 'update' ? [{ component: one.component.id, part: one.part }] : [],
    )
  return updates ?? decided()
}

/** A plan that an earlier run of the service made and verified, with its image as it is kept. */
export function planAgain(
  bmc: Bmc,
  image: ReceivedImage,
  { request, verified }: PlannedImage & { readonly verified: VerifiedImage },
  claims: Claims,
): VerifiedPlan | undefined {
  const parts = image.contents.ok ? image.contents.value.components : []
  const { signer, told, updates } = verified
  const here = updates.filter(({ component }) => !isGone(bmc, component))
  const decisions = here.flatMap(({ component: id, part }): Decision[] => {
    const component = findComponent(bmc, id)
    const own = parts[part]
    if (component === undefined || own === undefined) return []
    return [{ kind: 'update', component, image: inWordsOf(component, own), part }]
  })
  // Another machine than before: what was verified is not for it.
  if (decisions.length < here.length) return undefined
  const mine = claims.take(
    bmc,
    decisions.flatMap((one) => (one.kind === 'update' ? [one.component] : [])),
  )
  return mine && { bmc, image, request, decisions, claims: mine, signer, told, updates }
}

/**
 * Lets go of the components, and a turn later of the image: it must be there for as long as a commit says that it is
 * needed, and the commit that ends the operation comes after this.
 */
export function releasePlan(
  { bmc, image, claims: mine }: Plan,
  { claims, clock }: { readonly claims: Claims; readonly clock: Clock },
): void {
  claims.release(bmc, mine)
  clock.schedule(0, () => void image.spooled.discard())
}

/** The work on each device that plans of one BMC come to; `left` is how far an earlier run of the service came. */
export function piecesOf(
  plans: readonly VerifiedPlan[],
  shop: Workshop,
  left: ReadonlyMap<string, PartReached> = new Map(),
): Piece[] {
  const order = orderOf(
    plans.flatMap((plan) => updatesOf(plan).map(({ component }) => component)),
    left,
  )
  return plans.flatMap((plan) => {
    const decided = new Map(
      plan.decisions.flatMap((one) => (one.kind === 'update' ? [[one.component.id, one] as const] : [])),
    )
    return updatesOf(plan).map(({ component: id }) => {
      const update = decided.get(id)
      if (update !== undefined) return pieceOf(plan, update, { order, shop })
      order.settle(id, false)
      return gonePiece(plan.bmc, id, shop)
    })
  })
}

/** The work on one device. */
function pieceOf(
  { bmc, image, request, claims, signer }: VerifiedPlan,
  { component, image: part }: Extract<Decision, { readonly kind: 'update' }>,
  { order, shop }: { readonly order: ReturnType<typeof orderOf>; readonly shop: Workshop },
): Piece {
  const { id, behaviour } = component
  const { after = [] } = behaviour
  const reset = requestedReset(bmc, component, part.activation)
  const need = resetFor(component, { reset })
  const claim = claims.get(id)
  if (claim === undefined) throw new Error(`no claim on ${id}`)
  const first = order.writtenBefore(after)
  const { applyTime, stage } = request
  const isByService = applyTime === 'AtMaintenanceWindowStart'
  const resets = shop.resets(bmc)
  const openedBy = openerOf(bmc, component, applyTime, need)
  const update: Omit<DeviceUpdate, 'work' | 'from'> = {
    bmc,
    component,
    claim,
    shop,
    image: part,
    signer,
    read: (start = 0, end = part.sizeBytes) =>
      componentBytes(image, { start: part.start + start, sizeBytes: end - start }, shop.clock),
    whole: wholeOf(image),
    applyTime,
    stage,
    reset,
    ready: Promise.all(first).then((all) => all.every(Boolean)),
    written: (isWritten) => order.settle(id, isWritten),
    isHeldUp: () => order.isWaiting(after),
    opened: () => {
      order.open(id)
      if (isByService) resets.hold(update)
    },
    ...(isByService && need && { resetsItself: () => resets.ask(update, need) }),
  }
  return {
    component,
    needsUser: openedBy?.resetOf !== undefined || (need !== undefined && !stage && !isByService),
    run: async (told) => {
      try {
        return await updateDevice({ ...update, ...told })
      } finally {
        resets.over(update)
      }
    },
  }
}

function wholeOf({ fileName, sizeBytes, sha256, spooled }: ReceivedImage): FlashJob['package'] {
  return { fileName, sizeBytes, sha256, read: (start = 0, end = sizeBytes) => spooled.read(start, end) }
}

/** Which of some components wait for their moment, and which are written: for those that come after them. */
function orderOf(ids: readonly string[], left: ReadonlyMap<string, PartReached>) {
  const written = new Map(ids.map((id) => [id, Promise.withResolvers<boolean>()]))
  const waiting = new Set(ids.filter((id) => !left.has(id)))
  const settle = (id: string, isWritten: boolean): void => {
    waiting.delete(id)
    written.get(id)?.resolve(isWritten)
  }
  // What an earlier run of the service brought to its end is not begun again, and others wait for it no more.
  for (const [id, part] of left) if (part.at === 'over') settle(id, part.state === 'Completed')
  return {
    settle,
    open: (id: string): void => void waiting.delete(id),
    isWaiting: (some: readonly string[]): boolean => some.some((id) => waiting.has(id)),
    writtenBefore: (some: readonly string[]): Promise<boolean>[] =>
      some.flatMap((id) => written.get(id)?.promise ?? []),
  }
}
