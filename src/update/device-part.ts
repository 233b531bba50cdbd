import type { ResetNeed } from '../bmc/state.ts'
import type { FlashJob } from '../devices/flasher.ts'
import { type ImageComponent, imageName } from '../image/image-format.ts'
import type { ApplyTime } from '../redfish/apply-times.ts'
import type { DeviceWork } from './workshop.ts'

/** One device's part of an update. */
export interface DeviceUpdate extends DeviceWork {
  readonly image: ImageComponent
  /** Who vouches for it. */
  readonly signer: string | undefined
  readonly read: FlashJob['image']['read']
  /** The image that it is part of. */
  readonly whole: FlashJob['package']
  readonly applyTime: ApplyTime
  readonly stage: boolean
  /** The reset that the image asks for, where that is more than its component always needs. */
  readonly reset: ResetNeed | undefined
  /** To be told when nothing but other devices keeps it from being written. */
  readonly opened: () => void
  /** Whether one that is written first waits for its own moment. */
  readonly isHeldUp: () => boolean
  /** Resolves when it may be written: false where what had to come first failed. */
  readonly ready: Promise<boolean>
  /** To be told once it is written, or will not be. */
  readonly written: (isWritten: boolean) => void
}

/** The target and the image, as messages name them. */
export function named({ component, image }: DeviceUpdate): [target: string, image: string] {
  return [component.uri, imageName(image)]
}
