import type { Component } from '../bmc/bmc.ts'
import type { Cause, Change, ComponentState, PendingImage } from '../bmc/state.ts'
import { type ImageComponent, imageName } from '../image/image-format.ts'

type ComponentChange = Pick<Change, 'components'>

/** The component is being worked on. */
export function updating(component: Component): ComponentChange {
  return changed(component, { state: 'Updating' })
}

/** Installed, and waiting for the reset that activates it. */
export function parked(component: Component, pending: PendingImage): ComponentChange {
  return changed(component, { ...atRest(component), pending })
}

/** The new image runs: version, date, size and status change at once. */
export function activated(component: Component, image: PendingImage): ComponentChange {
  return changed(component, {
    ...atRest(component),
    health: 'OK',
    version: image.version,
    releaseDate: image.releaseDate,
    sizeBytes: image.sizeBytes,
    pending: undefined,
  })
}

/** The old image still runs; a component that failed while it was written needs attention. */
export function failedUpdate(component: Component, isDamaged: boolean): ComponentChange {
  return changed(component, {
    ...atRest(component),
    ...(isDamaged && { health: 'Critical', pending: undefined }),
  })
}

export function pendingImage(image: ImageComponent, now: number, cause: Cause): PendingImage {
  const { version, releaseDate, sizeBytes } = image
  return { image: imageName(image), version, releaseDate, sizeBytes, since: now, cause }
}

/** `Enabled`, or `StandbySpare` for the backup of a pair: the state that the machine gives it. */
function atRest({ factory }: Component): Pick<ComponentState, 'state'> {
  return { state: factory.state }
}

function changed({ id, now }: Component, members: Partial<ComponentState>): ComponentChange {
  return { components: [[id, { ...now, ...members }]] }
}
