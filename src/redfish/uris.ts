/** Every URI of the service is written here and nowhere else. `:name` marks a path parameter when a row is mounted. */
const v1 = '/redfish/v1'

/** The REST API of IBM's device management, which is no Redfish. */
export const PLATFORM = '/api/v0002'
const types = `${PLATFORM}/device/types`
const requests = `${PLATFORM}/mgmt/requests`

/** The logs of the manager that serves Redfish. */
export const LOG = 'Log'
export const AUDIT_LOG = 'AuditLog'
/** The log of a device's own. */
export const DEVICE_LOG = 'DeviceLog'
/** The log of the job service, which is nobody else's. */
export const JOB_LOG = 'JobLog'

/** Where a log is; the manager's matters to those below it only. */
const logService = (manager: string, log = LOG): string =>
  log === JOB_LOG ? `${v1}/JobService/Log` : `${manager}/LogServices/${log}`

export const uris = {
  versions: '/redfish',
  root: v1,
  odata: `${v1}/odata`,
  metadata: `${v1}/$metadata`,

  accountService: `${v1}/AccountService`,
  accounts: `${v1}/AccountService/Accounts`,
  account: (id: string) => `${v1}/AccountService/Accounts/${id}`,
  roles: `${v1}/AccountService/Roles`,
  role: (id: string) => `${v1}/AccountService/Roles/${id}`,
  privilegeMap: `${v1}/AccountService/PrivilegeMap`,

  sessionService: `${v1}/SessionService`,
  sessions: `${v1}/SessionService/Sessions`,
  session: (id: string) => `${v1}/SessionService/Sessions/${id}`,

  updateService: `${v1}/UpdateService`,
  multipartPush: `${v1}/UpdateService/update-multipart`,
  updateServiceCapabilities: `${v1}/UpdateService/UpdateServiceCapabilities`,
  rawPush: `${v1}/UpdateService/update`,
  firmwareInventory: `${v1}/UpdateService/FirmwareInventory`,
  firmware: (id: string) => `${v1}/UpdateService/FirmwareInventory/${id}`,
  firmwareHistory: (id: string) => `${v1}/UpdateService/FirmwareInventory/${id}/Oem/Redflash/History`,
  softwareInventory: `${v1}/UpdateService/SoftwareInventory`,
  software: (id: string) => `${v1}/UpdateService/SoftwareInventory/${id}`,
  localImages: `${v1}/UpdateService/LocalImageStore`,
  localImage: (id: string) => `${v1}/UpdateService/LocalImageStore/${id}`,
  localImageData: (id: string) => `${v1}/UpdateService/LocalImageStore/${id}/ImageData`,

  remoteServerKeys: `${v1}/UpdateService/RemoteServerSSHKeys`,
  remoteServerKey: (id: string) => `${v1}/UpdateService/RemoteServerSSHKeys/${id}`,
  identityKey: (id: string) => `${v1}/UpdateService/PublicIdentitySSHKey/${id}`,
  remoteServerCertificates: `${v1}/UpdateService/RemoteServerCertificates`,
  remoteServerCertificate: (id: string) => `${v1}/UpdateService/RemoteServerCertificates/${id}`,
  clientCertificates: `${v1}/UpdateService/ClientCertificates`,
  clientCertificate: (id: string) => `${v1}/UpdateService/ClientCertificates/${id}`,
  trustAnchors: `${v1}/UpdateService/Oem/Redflash/TrustAnchors`,
  trustAnchor: (id: string) => `${v1}/UpdateService/Oem/Redflash/TrustAnchors/${id}`,

  taskService: `${v1}/TaskService`,
  tasks: `${v1}/TaskService/Tasks`,
  task: (id: string) => `${v1}/TaskService/Tasks/${id}`,
  subTasks: (id: string) => `${v1}/TaskService/Tasks/${id}/SubTasks`,
  subTask: (id: string, part: string) => `${v1}/TaskService/Tasks/${id}/SubTasks/${part}`,
  taskMonitor: (id: string) => `${v1}/TaskService/TaskMonitors/${id}`,

  jobService: `${v1}/JobService`,
  jobs: `${v1}/JobService/Jobs`,
  job: (id: string) => `${v1}/JobService/Jobs/${id}`,
  steps: (job: string) => `${v1}/JobService/Jobs/${job}/Steps`,
  step: (job: string, id: string) => `${v1}/JobService/Jobs/${job}/Steps/${id}`,

  eventService: `${v1}/EventService`,
  eventDestinations: `${v1}/EventService/Subscriptions`,
  eventDestination: (id: string) => `${v1}/EventService/Subscriptions/${id}`,
  eventStream: `${v1}/EventService/SSE`,

  registries: `${v1}/Registries`,
  registryFile: (id: string) => `${v1}/Registries/${id}`,
  registry: (id: string) => `${v1}/Registries/${id}/${id}`,

  jsonSchemas: `${v1}/JsonSchemas`,
  jsonSchema: (id: string) => `${v1}/JsonSchemas/${id}`,
  oemSchemas: `${v1}/OemSchemas`,
  oemSchema: (file: string) => `${v1}/OemSchemas/${file}`,

  systems: `${v1}/Systems`,
  system: (id: string) => `${v1}/Systems/${id}`,
  managers: `${v1}/Managers`,
  manager: (id: string) => `${v1}/Managers/${id}`,
  chassis: `${v1}/Chassis`,
  chassisMember: (id: string) => `${v1}/Chassis/${id}`,
  trustedComponent: (chassis: string, id: string) => `${chassis}/TrustedComponents/${id}`,
  trustedCertificates: (trusted: string) => `${trusted}/Certificates`,
  trustedCertificate: (trusted: string) => `${trusted}/Certificates/DeviceCert`,
  componentIntegrities: `${v1}/ComponentIntegrity`,
  componentIntegrity: (id: string) => `${v1}/ComponentIntegrity/${id}`,
  bios: (system: string) => `${system}/Bios`,
  biosSettings: (system: string) => `${system}/Bios/Settings`,
  ethernetInterface: (owner: string, id: string) => `${owner}/EthernetInterfaces/${id}`,
  logServices: (manager: string) => `${manager}/LogServices`,
  logService,
  logEntries: (manager: string, log = LOG) => `${logService(manager, log)}/Entries`,
  logEntry: (manager: string, id: string, log = LOG) => `${logService(manager, log)}/Entries/${id}`,
  rawLog: (manager: string, log = LOG) => `${logService(manager, log)}/RawLog`,
  networkProtocol: (manager: string) => `${manager}/NetworkProtocol`,
  httpsCertificates: (manager: string) => `${manager}/NetworkProtocol/HTTPS/Certificates`,
  httpsCertificate: (manager: string) => `${manager}/NetworkProtocol/HTTPS/Certificates/1`,

  aggregationService: `${v1}/AggregationService`,
  aggregationSources: `${v1}/AggregationService/AggregationSources`,
  aggregationSource: (id: string) => `${v1}/AggregationService/AggregationSources/${id}`,
  aggregates: `${v1}/AggregationService/Aggregates`,
  aggregate: (id: string) => `${v1}/AggregationService/Aggregates/${id}`,
  connectionMethods: `${v1}/AggregationService/ConnectionMethods`,
  /** For devices, which have no account: no Redfish resource. */
  publishedImage: (token: string) => `/redflash/images/${token}`,
  connectionMethod: (id: string) => `${v1}/AggregationService/ConnectionMethods/${id}`,

  telemetryService: `${v1}/TelemetryService`,
  metricDefinitions: `${v1}/TelemetryService/MetricDefinitions`,
  metricDefinition: (id: string) => `${v1}/TelemetryService/MetricDefinitions/${id}`,
  metricReportDefinitions: `${v1}/TelemetryService/MetricReportDefinitions`,
  metricReportDefinition: (id: string) => `${v1}/TelemetryService/MetricReportDefinitions/${id}`,
  metricReports: `${v1}/TelemetryService/MetricReports`,
  metricReport: (id: string) => `${v1}/TelemetryService/MetricReports/${id}`,

  deviceRequests: requests,
  deviceRequest: (id: string) => `${requests}/${id}`,
  deviceStatuses: (id: string) => `${requests}/${id}/deviceStatus`,
  deviceStatus: (id: string, type: string, device: string) =>
    `${requests}/${id}/deviceStatus/${type}/${device}`,
  deviceTypes: types,
  deviceType: (type: string) => `${types}/${type}`,
  devicesOfType: (type: string) => `${types}/${type}/devices`,
  device: (type: string, id: string) => `${types}/${type}/devices/${id}`,
  deviceManagement: (type: string, id: string) => `${types}/${type}/devices/${id}/mgmt`,
  allDevices: `${PLATFORM}/bulk/devices`,
  addDevices: `${PLATFORM}/bulk/devices/add`,
  removeDevices: `${PLATFORM}/bulk/devices/remove`,

  certificateService: `${v1}/CertificateService`,
  certificateLocations: `${v1}/CertificateService/CertificateLocations`,

  action: (resource: string, action: string) => `${resource}/Actions/${action}`,
  actionInfo: (resource: string, action: string) => `${resource}/${action}ActionInfo`,
} as const

/** Actions of devices that can be asked for more than others. */
export const deviceActions = {
  requestConsent: 'Oem/RedflashManager.RequestUserConsent',
  sendConsent: 'Oem/RedflashManager.SendUserConsent',
  wakeAt: 'Oem/RedflashComputerSystem.WakeAt',
  cancelWake: 'Oem/RedflashComputerSystem.CancelWake',
} as const

/** The report of what a roll-out adds up to, by the Id of its job. */
export function rolloutReportId(job: string): string {
  return `RollOut-${job}`
}

/** The path that a client's reference means: absolute URLs lose their origin, a missing leading slash is added. */
export function referencePath(reference: string): string {
  const path = reference.replace(/^https?:\/\/[^/]+/i, '')
  const rooted = path.startsWith('/') ? path : `/${path}`
  return rooted.length > 1 ? rooted.replace(/\/+$/, '') : rooted
}

/** The last segment of a URI, which is the `Id` of a collection's member. */
export function lastSegment(uri: string): string {
  return uri.slice(uri.lastIndexOf('/') + 1)
}
