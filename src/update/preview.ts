import type { Bmc, Component } from '../bmc/bmc.ts'
import { type ImageComponent, imageName } from '../image/image-format.ts'
import { type Message, message, worstSeverity } from '../redfish/messages/message.ts'
import type { Ending, WorkHandle } from '../tasks/work.ts'
import { openerOf } from './apply-time.ts'
import type { Claims } from './claims.ts'
import type { VerifiedPlan } from './plan.ts'
import type { UpdateRequest } from '../bmc/operation.ts'
import { requestedReset, resetFor } from './reset-need.ts'
import { hasPower } from './workshop.ts'

/** The end of a dry run: what the devices' part would be, told for each component, and nothing done. */
export function preview(plan: VerifiedPlan, task: WorkHandle, claims: Claims): Ending {
  const messages = plan.decisions.flatMap((decision) =>
    decision.kind === 'update' ? forecast(plan, decision.component, decision.image, claims) : [],
  )
  task.report({ messages: [...messages, message('Redflash.NothingChanged')] })
  const fails = worstSeverity(messages) === 'Critical'
  return fails ? { state: 'Exception', status: 400 } : { state: 'Completed', status: 200 }
}

function forecast(
  { bmc, request }: VerifiedPlan,
  component: Component,
  image: ImageComponent,
  claims: Claims,
): readonly Message[] {
  const name = imageName(image)
  const { uri, now } = component
  const obstacles = obstaclesOf(bmc, component, image, claims)
  if (obstacles.length > 0) return [...obstacles, message('Redflash.WouldFail', name, uri)]
  const { applyTime, stage } = request
  const need = resetFor(component, { reset: requestedReset(bmc, component, image.activation) })
  const waits =
    applyTime === 'OnStartUpdateRequest' || openerOf(bmc, component, applyTime, need) !== undefined
  return [
    ...(waits ? [message('Redflash.WouldWait', uri, name, momentOf(request))] : []),
    stage
      ? message('Redflash.WouldStage', uri, name)
      : message('Redflash.WouldUpdate', uri, now.version, name),
    ...(stage || need === undefined
      ? []
      : [message('Redflash.WouldAwaitReset', name, uri, need.type, need.resource)]),
  ]
}

/** What keeps the device from taking the image now. */
function obstaclesOf(bmc: Bmc, component: Component, image: ImageComponent, claims: Claims): Message[] {
  const { id, uri, behaviour } = component
  const { capacityBytes, needsPowerOf = '' } = behaviour
  const sizes = [String(image.sizeBytes), String(capacityBytes)] as const
  return [
    ...(image.sizeBytes > capacityBytes
      ? [message('Redflash.ImageTooLarge', imageName(image), uri, ...sizes)]
      : []),
    ...(hasPower(bmc, component) ? [] : [message('Redflash.NoPower', uri, needsPowerOf)]),
    ...(claims.has(bmc, id) ? [message('Redflash.ComponentBusy', uri)] : []),
  ]
}

/** What is waited for; with Immediate, the installer is software of the host, which a boot starts. */
function momentOf({ applyTime }: UpdateRequest): string {
  return applyTime === 'Immediate' ? 'the next boot of the host' : applyTime
}
