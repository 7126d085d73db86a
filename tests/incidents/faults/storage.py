"""Claims, volumes, classes and the databases on them."""

from tests.incidents.cluster import Cluster, Json, at
from tests.incidents.controllers import REFUSED, callers_notice, set_replicas
from tests.incidents.fault import fault
from tests.incidents.kubelet import crash, creating, pends, set_condition
from tests.incidents.rolling import Edit, replace, same, set_fields, surge
from tests.incidents.workloads import volume_claim

UNBOUND = (
    "0/4 nodes are available: pod has unbound immediate PersistentVolumeClaims. preemption: 0/4 nodes are available: "
    "4 Preemption is not helpful for scheduling."
)


def _mounts(name: str) -> Edit:
    return lambda spec: spec.update(volumes=[{"name": "extra", "persistentVolumeClaim": {"claimName": name}}])


def _waiting(c: Cluster, workload: str, claim: str, *, sick: bool, why: str = UNBOUND) -> None:
    for pod in replace(c, workload, _mounts(claim)):
        if sick:
            pends(c, pod, why)
    if sick and ("Service", "shop", workload) in c.objects:
        callers_notice(c, workload, REFUSED)


@fault(
    "orders-db does not come back",
    ("statefulset/orders-db", "persistentvolumeclaim/data-orders-db-0"),
    "storage-class-missing",
)
def a_storage_class_of_another_cluster(c: Cluster, *, sick: bool) -> None:
    name = "gp3" if sick else "standard"
    c.get("StatefulSet", "orders-db")["spec"]["volumeClaimTemplates"][0]["spec"]["storageClassName"] = name
    if not sick:
        return
    claim = volume_claim(c, "shop", "data-orders-db-0", storage_class=name, bound=False, age=19)
    c.event(
        claim,
        "ProvisioningFailed",
        'storageclass.storage.k8s.io "gp3" not found',
        first=19,
        last=0.5,
        count=70,
        source="persistentvolume-controller",
    )
    for pod in replace(c, "orders-db", same):
        pends(c, pod, UNBOUND)
    callers_notice(c, "orders-db", REFUSED)
    for pod in c.pods_of("orders"):
        crash(c, pod, "FATAL cannot connect to orders-db:5432: no route to host")
    callers_notice(c, "orders", REFUSED)


@fault(
    "search is pending since it got a volume",
    ("persistentvolumeclaim/search-index", "deployment/search"),
    "no-default-class",
)
def a_claim_without_class_where_none_is_default(c: Cluster, *, sick: bool) -> None:
    if sick:
        c.get("StorageClass", "standard")["metadata"]["annotations"] = {}
    claim = volume_claim(c, "shop", "search-index", bound=not sick, age=19)
    if sick:
        claim["spec"].pop("storageClassName")
        c.event(
            claim,
            "FailedBinding",
            "no persistent volumes available for this claim and no storage class is set",
            first=19,
            last=0.5,
            count=70,
            kind="Normal",
            source="persistentvolume-controller",
        )
    _waiting(c, "search", "search-index", sick=sick)


@fault(
    "profiles waits for its volume",
    ("persistentvolumeclaim/profiles-cache", "deployment/profiles"),
    "provisioning-failed",
)
def a_driver_that_says_no(c: Cluster, *, sick: bool) -> None:
    claim = volume_claim(c, "shop", "profiles-cache", bound=not sick, age=19)
    if sick:
        c.event(
            claim,
            "ProvisioningFailed",
            'failed to provision volume with StorageClass "standard": rpc error: code = ResourceExhausted '
            "desc = volume quota exceeded",
            first=19,
            last=0.5,
            count=9,
            source="csi.example.com_controller",
        )
    _waiting(c, "profiles", "profiles-cache", sick=sick)


def _static(
    c: Cluster, *, size: str = "10Gi", mode: str = "ReadWriteOnce", claimed_by: str = "", labels: Json | None = None
) -> None:
    spec: Json = {
        "capacity": {"storage": size},
        "accessModes": [mode],
        "storageClassName": "manual",
        "persistentVolumeReclaimPolicy": "Retain",
        "nfs": {"server": "nas.example.com", "path": "/shared"},
    }
    if claimed_by:
        spec["claimRef"] = {
            "kind": "PersistentVolumeClaim",
            "namespace": "staging",
            "name": claimed_by,
            "uid": "0f0f0f0f-1",
        }
    c.put(
        "PersistentVolume",
        "",
        "shared-1",
        spec=spec,
        status={"phase": "Bound" if claimed_by else "Available"},
        metadata={"labels": labels or {}},
    )
    c.put("StorageClass", "", "manual", provisioner="kubernetes.io/no-provisioner", volumeBindingMode="Immediate")


def _claims(
    c: Cluster, said: str, *, sick: bool, size: str = "10Gi", mode: str = "ReadWriteOnce", labels: Json | None = None
) -> None:
    claim = volume_claim(c, "shop", "shared", size=size, mode=mode, storage_class="manual", bound=False, age=19)
    if labels:
        claim["spec"]["selector"] = {"matchLabels": labels}
    if sick:
        c.event(
            claim,
            "FailedBinding" if "volume" in said[:6] else "ProvisioningFailed",
            said,
            first=19,
            last=0.4,
            count=70,
            source="persistentvolume-controller",
        )
    else:
        claim["status"] = {"phase": "Bound", "accessModes": [mode], "capacity": {"storage": size}}
        claim["spec"]["volumeName"] = "shared-1"
        c.get("PersistentVolume", "shared-1")["status"]["phase"] = "Bound"
    _waiting(c, "invoicing", "shared", sick=sick)


NO_VOLUME = "no persistent volumes available for this claim and no storage class is set"
OF_CLAIM = ("persistentvolumeclaim/shared", "deployment/invoicing", "persistentvolume//shared-1")


@fault("invoicing hangs in Pending", OF_CLAIM, "volume-claim-mismatch")
def an_access_mode_that_no_volume_has(c: Cluster, *, sick: bool) -> None:
    _static(c)
    _claims(c, NO_VOLUME, sick=sick, mode="ReadWriteMany" if sick else "ReadWriteOnce")


@fault("invoicing cannot get its volume", OF_CLAIM, "volume-claim-mismatch")
def a_size_that_no_volume_has(c: Cluster, *, sick: bool) -> None:
    _static(c)
    _claims(c, NO_VOLUME, sick=sick, size="100Gi" if sick else "10Gi")


@fault("why is the claim shared in namespace shop not bound", OF_CLAIM, "volume-claim-mismatch")
def a_selector_that_no_volume_meets(c: Cluster, *, sick: bool) -> None:
    _static(c, labels={"tier": "slow"})
    _claims(c, NO_VOLUME, sick=sick, labels={"tier": "fast" if sick else "slow"})


@fault("invoicing does not start", OF_CLAIM, "volume-claim-mismatch")
def a_volume_that_belongs_to_another_claim(c: Cluster, *, sick: bool) -> None:
    _static(c, claimed_by="archive" if sick else "")
    _claims(c, 'volume "shared-1" already bound to a different claim.', sick=sick)
    if sick:
        c.get("PersistentVolumeClaim", "shared")["spec"]["volumeName"] = "shared-1"


@fault(
    "a new pod of orders-db hangs",
    ("statefulset/orders-db", "persistentvolumeclaim/data-orders-db-0"),
    "volume-multi-attach",
)
def a_disk_that_another_node_holds(c: Cluster, *, sick: bool) -> None:
    for pod in replace(c, "orders-db", same):
        if sick:
            creating(
                c,
                pod,
                "FailedAttachVolume",
                'Multi-Attach error for volume "pvc-1" Volume is already exclusively attached to one '
                "node and can't be attached to another",
            )
            c.event(
                pod,
                "FailedMount",
                "Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[], failed to process "
                "volumes=[]: timed out waiting for the condition",
                first=16,
                last=1,
                count=7,
            )
    if sick:
        callers_notice(c, "orders-db", REFUSED)


@fault(
    "search and invoicing share a volume, one of them does not start",
    ("persistentvolumeclaim/files", "deployment/search"),
    "volume-multi-attach",
)
def a_disk_that_two_deployments_want(c: Cluster, *, sick: bool) -> None:
    volume_claim(c, "shop", "files", mode="ReadWriteOnce" if sick else "ReadWriteMany")
    first = replace(c, "invoicing", _mounts("files"), age=1440)[0]
    for pod in replace(c, "search", _mounts("files")):
        if sick:
            creating(
                c,
                pod,
                "FailedAttachVolume",
                f'Multi-Attach error for volume "pvc-2" Volume is already used by pod(s) {first["metadata"]["name"]}',
            )


@fault(
    "profiles-db cannot be scheduled after the move",
    ("statefulset/profiles-db", "persistentvolumeclaim/data-profiles-db-0"),
    "volume-zone-conflict",
)
def a_disk_in_another_zone(c: Cluster, *, sick: bool) -> None:
    volume = c.get("PersistentVolumeClaim", "data-profiles-db-0")["spec"]["volumeName"]
    zone = "zone-x" if sick else "zone-2"
    terms = [{"matchExpressions": [{"key": "topology.kubernetes.io/zone", "operator": "In", "values": [zone]}]}]
    c.get("PersistentVolume", volume)["spec"]["nodeAffinity"] = {"required": {"nodeSelectorTerms": terms}}
    for pod in replace(c, "profiles-db", same):
        if sick:
            pends(
                c,
                pod,
                "0/4 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, "
                "3 node(s) had "
                "volume node affinity conflict. preemption: 0/4 nodes are available: 4 Preemption is not helpful for "
                "scheduling.",
            )


@fault(
    "cart-redis hangs in ContainerCreating",
    ("statefulset/cart-redis", "persistentvolumeclaim/data-cart-redis-0"),
    "csi-driver-missing",
)
def a_node_without_the_driver(c: Cluster, *, sick: bool) -> None:
    for pod in replace(c, "cart-redis", same):
        if sick:
            creating(
                c,
                pod,
                "FailedMount",
                'MountVolume.MountDevice failed for volume "pvc-7" : kubernetes.io/csi: attacher.MountDevice failed to '
                "create newCsiDriverClient: driver name csi.example.com not found in the list of registered CSI "
                "drivers",
            )
    if sick:
        callers_notice(c, "cart-redis", REFUSED)


@fault("cart-redis is down", ("persistentvolumeclaim/data-cart-redis-0", "statefulset/cart-redis"), "claim-lost")
def a_claim_whose_volume_is_gone(c: Cluster, *, sick: bool) -> None:
    claim = c.get("PersistentVolumeClaim", "data-cart-redis-0")
    if not sick:
        return
    claim["status"] = {"phase": "Lost"}
    c.drop("PersistentVolume", claim["spec"]["volumeName"])
    c.event(
        claim,
        "ClaimLost",
        "Bound claim has lost its PersistentVolume. Data on the volume is lost!",
        first=19,
        last=2,
        count=4,
        source="persistentvolume-controller",
    )
    for pod in replace(c, "cart-redis", same):
        pends(
            c,
            pod,
            '0/4 nodes are available: persistentvolumeclaim "data-cart-redis-0" bound to non-existent persistentvolume '
            '"pvc-1". preemption: 0/4 nodes are available: 4 Preemption is not helpful for scheduling.',
        )


@fault(
    "email cannot mount its share",
    ("deployment/email", "persistentvolumeclaim/mail"),
    ("volume-mount-failed", "mount-refused"),
)
def a_file_server_that_does_not_answer(c: Cluster, *, sick: bool) -> None:
    volume_claim(c, "shop", "mail", mode="ReadWriteMany")
    for pod in replace(c, "email", _mounts("mail")):
        if sick:
            creating(
                c,
                pod,
                "FailedMount",
                'MountVolume.SetUp failed for volume "mail" : mount failed: exit status 32\nMounting command: mount\n'
                "Mounting arguments: -t nfs nas.example.com:/mail\nOutput: mount.nfs: Connection timed out",
            )


@fault(
    "checkout cannot write orders",
    ("statefulset/orders-db", "persistentvolumeclaim/data-orders-db-0"),
    ("no-space-left", "volume-full"),
)
def a_database_whose_disk_is_full(c: Cluster, *, sick: bool) -> None:
    pod = c.get("Pod", "orders-db-0")
    if sick:
        crash(
            c,
            pod,
            'PANIC:  could not write to file "pg_wal/xlogtemp.29": No space left on device',
            "LOG:  database system is shut down",
        )
        callers_notice(c, "orders-db", REFUSED)


@fault(
    "orders has errors with its database", ("statefulset/orders-db", "deployment/orders"), ("connections-exhausted",)
)
def a_database_without_connections(c: Cluster, *, sick: bool) -> None:
    c.log(
        c.get("Pod", "orders-db-0"),
        *(["FATAL:  sorry, too many clients already"] if sick else ["LOG:  checkpoint complete"]) * 20,
        since=19,
    )
    for pod in c.pods_of("orders") if sick else []:
        c.log(pod, *["ERROR insert order: FATAL: sorry, too many clients already (SQLSTATE 53300)"] * 20, since=19)


@fault("orders cannot be saved", ("statefulset/orders-db", "deployment/orders"), ("db-read-only",))
def a_database_that_only_reads(c: Cluster, *, sick: bool) -> None:
    for pod in c.pods_of("orders") if sick else []:
        c.log(
            pod,
            *["ERROR insert order: ERROR: cannot execute INSERT in a read-only transaction (SQLSTATE 25006)"] * 20,
            since=19,
        )
    if sick:
        c.log(c.get("Pod", "orders-db-0"), *["ERROR:  cannot execute INSERT in a read-only transaction"] * 20, since=19)


@fault("cart loses what users put in", "statefulset/cart-redis", ("statefulset-stuck-ordinal", "app-exits"))
def a_database_that_cannot_read_its_file(c: Cluster, *, sick: bool) -> None:
    for pod in replace(c, "cart-redis", set_fields(args=["--appendonly", "yes"])):
        if sick:
            crash(
                c,
                pod,
                "# Bad file format reading the append only file: make a backup of your AOF file, then use "
                "./redis-check-aof --fix <filename>",
            )
    if sick:
        callers_notice(c, "cart-redis", REFUSED)


@fault("profiles-db-0 has no name in DNS", "statefulset/profiles-db", "statefulset-service-missing")
def a_set_whose_service_is_gone(c: Cluster, *, sick: bool) -> None:
    c.get("StatefulSet", "profiles-db")["spec"]["serviceName"] = "profiles-db-headless" if sick else "profiles-db"


@fault("deployment checkout waits half-way", "deployment/checkout", "rollout-paused")
def a_rollout_that_was_paused(c: Cluster, *, sick: bool) -> None:
    surge(c, "checkout", set_fields(image="registry.example.com/shop/checkout:v2.15.0"), sick=sick, age=90)
    if sick:
        c.get("Deployment", "checkout")["spec"]["paused"] = True


@fault("why are there no catalog pods?", "deployment/catalog", "scaled-to-zero")
def a_workload_that_somebody_stopped(c: Cluster, *, sick: bool) -> None:
    set_replicas(c, "catalog", 0 if sick else 2)
    if sick:
        callers_notice(c, "catalog", REFUSED)


@fault("orders-db grows and cannot be resized", "persistentvolumeclaim/data-orders-db-0", "volume-resize-pending")
def a_volume_that_waits_for_a_restart(c: Cluster, *, sick: bool) -> None:
    claim = c.get("PersistentVolumeClaim", "data-orders-db-0")
    claim["spec"]["resources"]["requests"]["storage"] = "20Gi" if sick else "8Gi"
    if sick:
        claim["status"]["conditions"] = [
            {
                "type": "FileSystemResizePending",
                "status": "True",
                "lastTransitionTime": at(40),
                "message": "Waiting for user to (re-)start a pod to finish file system resize of volume on node.",
            }
        ]


@fault("node worker-1 kills processes", "node//worker-1", "node-oom")
def a_node_that_kills_for_memory(c: Cluster, *, sick: bool) -> None:
    node = c.get("Node", "worker-1")
    if sick:
        c.event(
            node, "SystemOOM", "System OOM encountered, victim process: java, pid: 31337", first=20, last=3, count=4
        )
    else:
        set_condition(c.pods_of("ads")[0], "Ready", status=True, changed=9000)
