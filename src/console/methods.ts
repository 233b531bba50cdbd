import type { DeviceAdapter } from '../devices/device.ts'
import type { ManagedDevices } from '../devices/mqtt/manager.ts'
import type { Clock } from '../lib/clock.ts'
import type { Method } from './method.ts'
import type { MqttOptions } from './mqtt.ts'
import type { OwnOptions } from './own-methods.ts'
import type { Published } from './published.ts'

/** What reaching devices takes. */
export interface MethodOptions extends MqttOptions, OwnOptions {
  readonly clock: Clock
  /** For devices that fetch their images. */
  readonly published: Published
}

/** The ways in which a console reaches devices, and what is to be said of them. */
export interface Methods {
  readonly methods: readonly Method[]
  /** Where devices come to by MQTT; `undefined`: they do not. */
  readonly mqttUrl: string | undefined
  /** What those can be asked for beside what all devices can. */
  readonly mqttDevices: ManagedDevices | undefined
}

/** Makes the ways in which a console reaches devices. */
export async function makeMethods(options: MethodOptions): Promise<Methods> {
  const { clock, published, mqtt, deviceCommand, deviceModule } = options
  const hasOwn = deviceCommand !== '' || deviceModule !== ''
  const own = hasOwn ? await (await import('./own-methods.ts')).makeOwnMethods(options) : []
  const [{ createRedfishAdapter }, { createAmtAdapter }] = await Promise.all([
    import('../devices/redfish/redfish-adapter.ts'),
    import('../devices/amt/amt-adapter.ts'),
  ])
  const publish: Published['publish'] = (image) => published.publish(image)
  const byMqtt =
    mqtt === '' ? undefined : await (await import('./mqtt.ts')).makeMqtt(options).catch(endOf(own))
  const methods = [
    method('Redfish', 'Redfish', createRedfishAdapter({ clock, publish })),
    method('AMT', 'Intel AMT', createAmtAdapter({ clock, publish })),
    ...(byMqtt ? [byMqtt.method] : []),
    ...own,
  ]
  return { methods, mqttUrl: byMqtt?.url, mqttDevices: byMqtt?.managed }
}

/** What was begun before something failed is ended. */
function endOf(methods: readonly Method[]): (error: unknown) => Promise<never> {
  return async (error) => {
    await Promise.all(methods.map(({ adapter }) => adapter.close()))
    throw error
  }
}

function method(id: string, variant: string, adapter: DeviceAdapter): Method {
  return { id, type: id === 'Redfish' ? 'Redfish' : 'OEM', variant, adapter }
}
