import { type Bmc, type Component, listComponents } from '../bmc/bmc.ts'
import type { PendingImage, StandbyImage } from '../bmc/state.ts'
import { message } from '../redfish/messages/message.ts'
import { uris } from '../redfish/uris.ts'
import { standbyId } from './component-changes.ts'
import { isBelow, isInsecure } from './floors.ts'
import type { StageFailure } from './stages/stage.ts'

/** An image that stands by, and the component that it is for. */
export interface Standby {
  readonly component: Component
  readonly image: StandbyImage
}

/** Every image that stands by beside the one that runs. */
export function listStandby(bmc: Bmc): Standby[] {
  return listComponents(bmc).flatMap((component) =>
    (component.now.standby ?? []).map((image) => ({ component, image })),
  )
}

/** The image whose inventory item this is. */
export function findStandby(bmc: Bmc, uri: string): Standby | undefined {
  return listStandby(bmc).find(({ image }) => uris.firmware(image.id) === uri)
}

/** An image as it stands by on a managed device, which alone knows more of it. */
export function standbyOnDevice({ state }: Bmc, component: Component, version: string): StandbyImage {
  return {
    id: standbyId(component, version),
    kind: 'previous',
    image: `${component.id} ${version}`,
    version,
    releaseDate: undefined,
    sizeBytes: 0,
    sha256: undefined,
    since: state.devices.get(component.on?.device ?? '')?.seenAt ?? 0,
  }
}

/** Whether a managed device has said that an image of this version stands by on it. */
export function standsBy({ state }: Bmc, { on }: Component, version: string): boolean {
  const firmware = state.devices.get(on?.device ?? '')?.facts.firmware
  return firmware?.find(({ id }) => id === on?.firmware)?.standsBy?.includes(version) === true
}

/** The devices on which an image of this component stands by (SoftwareInventory.Links.StagedTargets). */
export function stagedTargets({ relatedItems }: Component): readonly string[] {
  return relatedItems
}

/** Why an image that is on its device may not be made the one that runs there; `undefined`: it may. */
export function hindrance(
  component: Component,
  standby: Pick<PendingImage, 'image' | 'version' | 'securityVersion'>,
): StageFailure | undefined {
  // Where half an image is, nothing but a new one is taken.
  if (component.now.health === 'Critical')
    return { messages: [message('Update.UpdateNotApplicable', standby.image, component.uri)], status: 409 }
  if (component.now.isWriteProtected === true)
    return {
      messages: [message('Base.PropertyValueResourceConflict', 'WriteProtected', 'true', component.uri)],
      status: 409,
    }
  if (isBelow(component, standby) || isInsecure(component, standby))
    return {
      messages: [message('Update.UpdateSkippedVersionTooLow', component.uri, standby.image)],
      status: 400,
    }
  return undefined
}
