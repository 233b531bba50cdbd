import type { Clock } from '../lib/clock.ts'
import type { Method } from './devices.ts'

/** The ways in which a console reaches devices. */
export async function makeMethods({ clock }: { readonly clock: Clock }): Promise<Method[]> {
  const { createRedfishAdapter } = await import('../devices/redfish/redfish-adapter.ts')
  return [{ id: 'Redfish', type: 'Redfish', variant: 'Redfish', adapter: createRedfishAdapter({ clock }) }]
}
