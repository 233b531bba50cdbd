import type { Clock } from '../lib/clock.ts'
import type { Method } from './devices.ts'
import type { Published } from './published.ts'

/** What reaching devices takes. */
export interface MethodOptions {
  readonly clock: Clock
  /** For devices that fetch their images. */
  readonly published: Published
}

/** The ways in which a console reaches devices. */
export async function makeMethods({ clock, published }: MethodOptions): Promise<Method[]> {
  const { createRedfishAdapter } = await import('../devices/redfish/redfish-adapter.ts')
  const publish: Published['publish'] = (image) => published.publish(image)
  const adapter = createRedfishAdapter({ clock, publish })
  return [{ id: 'Redfish', type: 'Redfish', variant: 'Redfish', adapter }]
}
