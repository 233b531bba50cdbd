import type { JsonObject } from '../redfish/resource.ts'
import { uris } from '../redfish/uris.ts'
import { type Ask, asksOf, openTargets } from './asks.ts'
import { type Errand, patientGet, patientPost, pause } from './errand.ts'
import { follow, type Seen, seenIn } from './follow.ts'
import { errorText, readMessages } from './message-reading.ts'
import { actionOf, discoverService, sendImage } from './send-image.ts'
import { awaitVersions, lookAt } from './versions.ts'

const skipped = new Set([
  'UpdateSkipped',
  'UpdateSkippedSameVersion',
  'UpdateSkippedVersionTooLow',
  'UpdateNotApplicable',
  'NoTargetsDetermined',
])
const successes = new Set(['UpdateSuccessful', 'AwaitToUpdate', 'AwaitToActivate', 'ResetRequired'])

export interface PushRequest {
  /** A file, or the URI from which the service is to fetch it. */
  readonly image: string
  readonly parameters: JsonObject
  /** Whether to perform the resets that are asked for. */
  readonly resets: boolean
  /** Whether to start what waits for StartUpdate. */
  readonly starts: boolean
}

/**
 * Gives an image to any Redfish service and follows the update: to its end, or to where somebody has to do what the
 * request does not allow. Resolves to whether it came there as asked.
 */
export async function pushImage(errand: Errand, request: PushRequest): Promise<boolean> {
  const { parameters } = request
  const service = await discoverService(errand.client)
  let startsLater = parameters['@Redfish.OperationApplyTime'] === 'OnStartUpdateRequest'
  let seen = seenIn(await sendImage(errand, service, request))
  for (;;) {
    seen = await follow(errand, seen, (one) => asksOf(one, startsLater).length > 0)
    const asks = asksOf(seen, startsLater)
    const refused = asks.filter((ask) => !isAllowed(ask, request))
    for (const ask of refused) errand.watcher.waiting(wording(ask))
    if (asks.length === 0 || refused.length > 0) return isGood(seen)
    // Where the task is over, only the inventory tells what becomes of it.
    const before = await lookAt(errand, seen.isOver ? openTargets(seen) : [])
    const started = await perform(errand, asks, service)
    if (started?.path !== undefined && seen.isOver) seen = started
    else if (seen.isOver)
      return (await awaitVersions(errand, before, parameters['ForceUpdate'] === true)) && isGood(seen)
    else seen = { ...seen, heeded: seen.messages.length }
    if (asks.some(({ kind }) => kind === 'start')) startsLater = false
  }
}

function isAllowed({ kind }: Ask, { resets, starts }: PushRequest): boolean {
  return (kind === 'reset' && resets) || (kind === 'start' && starts)
}

function wording(ask: Ask): string {
  switch (ask.kind) {
    case 'reset':
      return `waits for a reset: POST ${ask.action} {"ResetType":"${ask.type}"} (--reset does it)`
    case 'start':
      return 'waits for UpdateService.StartUpdate (--start does it)'
    case 'activate':
      return `${ask.target} waits to be activated`
    case 'unknown':
      return 'waits for somebody to act'
  }
}

/** Does what is asked for, each once; what StartUpdate started, if anything shows it. */
async function perform(errand: Errand, asks: readonly Ask[], service: JsonObject): Promise<Seen | undefined> {
  const resets = asks.flatMap((ask) => (ask.kind === 'reset' ? [ask] : []))
  // A manager's reset interrupts what it is at: no other reset may have set anything in motion before.
  const isManagers = ({ action }: { readonly action: string }): boolean =>
    action.startsWith(`${uris.managers}/`)
  for (const { action, type } of resets.toSorted((a, b) => Number(isManagers(b)) - Number(isManagers(a)))) {
    errand.watcher.waiting(`reset ${action} ${type}`)
    const answer = await patientPost(errand, action, { ResetType: type })
    if (answer !== 'lost' && answer.status >= 300)
      throw new Error(`the reset was refused: ${errorText(answer.status, answer.body)}`)
    await pause(errand)
    await patientGet(errand, `${uris.root}/`)
  }
  if (!asks.some(({ kind }) => kind === 'start')) return undefined
  const answer = await errand.client.post(actionOf(service, 'StartUpdate'), {})
  if (answer.status >= 300) throw new Error(`the start was refused: ${errorText(answer.status, answer.body)}`)
  if (readMessages(answer.body).some(({ key }) => key === 'NoOperation'))
    throw new Error('there was nothing to start')
  return seenIn(answer)
}

/** Over or waiting as it should, and not merely because there was nothing to do. */
function isGood({ answer: { status, body }, state, isOver, messages }: Seen): boolean {
  if (status >= 400 || (isOver && state !== undefined && state !== 'Completed')) return false
  if (body['TaskStatus'] === 'Critical' || body['JobStatus'] === 'Critical') return false
  if (messages.some(({ severity }) => severity === 'Critical')) return false
  return !messages.some(({ key }) => skipped.has(key)) || messages.some(({ key }) => successes.has(key))
}
