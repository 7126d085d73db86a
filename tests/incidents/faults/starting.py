"""Containers that do not start, or do not stay."""

from tests.incidents.cluster import Cluster, Json, at, condition
from tests.incidents.controllers import REFUSED, callers_notice
from tests.incidents.fault import fault
from tests.incidents.kubelet import crash, creating, init_fails, run, status_of, unready, waits
from tests.incidents.rolling import first, replace, set_fields, surge
from tests.incidents.workloads import container


@fault("users report the shop is failing in namespace shop; what is wrong?", "deployment/payment", "command-not-found")
def a_command_with_a_typing_error(c: Cluster, *, sick: bool) -> None:
    for pod in replace(c, "payment", set_fields(command=["/bin/paymnt" if sick else "/bin/payment"])):
        if sick:
            text = (
                "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc "
                "create failed: "
                'unable to start container process: exec: "/bin/paymnt": stat /bin/paymnt: no such file or '
                "directory: unknown"
            )
            crash(c, pod, code=128, reason="StartError", message=text)
            c.event(pod, "Failed", f"Error: {text}", first=18, last=1.4, count=8)
    if sick:
        callers_notice(c, "payment", REFUSED)


@fault("ads keeps restarting", "deployment/ads", "command-not-found")
def a_shell_line_with_a_typing_error(c: Cluster, *, sick: bool) -> None:
    for pod in replace(c, "ads", set_fields(command=["sh", "-c", "jva -jar ads.jar" if sick else "java -jar ads.jar"])):
        if sick:
            crash(c, pod, "sh: 1: jva: not found", code=127)


@fault("catalog restarts under load", "deployment/catalog", "oom-killed")
def a_memory_limit_that_is_too_low(c: Cluster, *, sick: bool) -> None:
    limits = {"limits": {"memory": "32Mi" if sick else "1Gi"}, "requests": {"memory": "32Mi", "cpu": "100m"}}
    for pod in replace(c, "catalog", set_fields(resources=limits)):
        if sick:
            crash(c, pod, "INFO catalog loading products", code=137, reason="OOMKilled")


@fault("email crashes", "deployment/email", "segfault")
def a_native_crash(c: Cluster, *, sick: bool) -> None:
    for pod in surge(c, "email", set_fields(image="registry.example.com/shop/email:v2.15.0"), sick=sick):
        if sick:
            crash(c, pod, "INFO email starting", "Segmentation fault (core dumped)", code=139)


@fault("search restarts without end", "deployment/search", "post-start-hook-failed")
def a_hook_that_fails(c: Cluster, *, sick: bool) -> None:
    hook = {"postStart": {"exec": {"command": ["/warm-up.sh" if sick else "/bin/true"]}}}
    for pod in replace(c, "search", set_fields(lifecycle=hook)):
        if sick:
            crash(c, pod, code=137, reason="Error")
            c.event(
                pod,
                "FailedPostStartHook",
                "PostStartHook failed: command '/warm-up.sh' exited with 126: ",
                first=18,
                last=1.4,
                count=7,
            )


@fault("orders never starts", "deployment/orders", ("migration-failed", "init-failing"))
def a_migration_that_fails(c: Cluster, *, sick: bool) -> None:
    made = container("migrate", "registry.example.com/shop/migrate:v8", 80)
    for pod in surge(c, "orders", lambda spec: spec.update(initContainers=[made]), sick=sick):
        if sick:
            init_fails(
                c, pod, made, 'ERROR: column "total" of relation "orders" already exists', "migration 0042 failed"
            )


@fault("profiles stays in Init", "deployment/profiles", "init-failing")
def an_init_container_that_waits_for_nobody(c: Cluster, *, sick: bool) -> None:
    host = "profile-db" if sick else "profiles-db"
    made = container("wait", "busybox:1.36", 80, command=["sh", "-c", f"until nslookup {host}; do sleep 2; done"])
    for pod in replace(c, "profiles", lambda spec: spec.update(initContainers=[made])):
        if sick:
            init_fails(
                c, pod, made, *["** server can't find profile-db.shop.svc.cluster.local: NXDOMAIN"] * 6, running=True
            )


@fault(
    "what is wrong with recommendation",
    "deployment/recommendation",
    ("address-in-use", "sidecar-not-ready", "app-exits"),
)
def a_sidecar_on_the_port_of_the_application(c: Cluster, *, sick: bool) -> None:
    side = container("metrics", "registry.example.com/tools/exporter:v1", 8080 if sick else 9114)
    for pod in replace(c, "recommendation", lambda spec: spec["containers"].append(side)):
        if sick:
            crash(c, pod, 'level=error msg="listen tcp :8080: bind: address already in use"', container="metrics")
    if sick:
        callers_notice(c, "recommendation", REFUSED)


@fault("cart pods show CreateContainerError", "deployment/cart", ("container-create-error", "command-not-found"))
def a_sub_path_that_is_a_file(c: Cluster, *, sick: bool) -> None:
    def edit(spec: Json) -> None:
        spec["volumes"] = [{"name": "conf", "configMap": {"name": "shop-settings"}}]
        first(spec)["volumeMounts"] = [
            {"name": "conf", "mountPath": "/etc/cart" if sick else "/etc/conf", "subPath": "LOG_LEVEL"}
        ]

    for pod in replace(c, "cart", edit):
        if sick:
            text = (
                'failed to generate container "4f" spec: failed to create containerd task: error mounting '
                '"/var/lib/kubelet/pods/x/volume-subpaths/'
                'conf/server/0" to rootfs at "/etc/cart": not a directory: Are you trying to mount a directory onto '
                "a file (or vice-versa)?"
            )
            waits(c, pod, "CreateContainerError", text, said=f"Error: {text}")


@fault("invoicing disappears again and again", "deployment/invoicing", "ephemeral-storage-exceeded")
def a_pod_that_fills_its_local_disk(c: Cluster, *, sick: bool) -> None:
    limit = {"limits": {"ephemeral-storage": "1Gi" if sick else "20Gi"}}
    pods = replace(c, "invoicing", set_fields(resources=limit), age=40)
    owner = next(each for each in c.all("ReplicaSet") if each["metadata"]["creationTimestamp"] == at(40))
    for minutes in (30, 16) if sick else ():
        text = "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. "
        pod = c.put(
            "Pod",
            "shop",
            f"{pods[0]['metadata']['name'][:-5]}ev{minutes:03}",
            age=minutes + 10,
            spec=pods[0]["spec"],
            metadata={
                "labels": pods[0]["metadata"]["labels"],
                "ownerReferences": pods[0]["metadata"]["ownerReferences"],
            },
            status={"phase": "Failed", "reason": "Evicted", "message": text, "startTime": at(minutes + 10)},
        )
        c.event(pod, "Evicted", text, last=minutes)
    assert owner


@fault("a pod of checkout does not go away", "deployment/checkout", "stuck-terminating")
def a_finalizer_that_nobody_removes(c: Cluster, *, sick: bool) -> None:
    old = c.pods_of("checkout")[0]
    replace(c, "checkout", set_fields(restarted=1), age=60)
    if sick:
        old["metadata"] |= {
            "deletionTimestamp": at(58),
            "deletionGracePeriodSeconds": 30,
            "finalizers": ["example.com/audit"],
        }
        unready(c, old, since=58)
        c.objects["Pod", "shop", old["metadata"]["name"]] = old


@fault("payments fail with connection resets at every release, payment", "deployment/payment", "slow-shutdown")
def a_process_that_ignores_sigterm(c: Cluster, *, sick: bool) -> None:
    pods = replace(c, "payment", set_fields(restarted=1), age=6)
    for pod in pods if sick else []:
        status_of(pod)["restartCount"] = 3
        ended = {"exitCode": 137, "reason": "Error", "startedAt": at(30), "finishedAt": at(5)}
        status_of(pod)["lastState"] = {"terminated": ended}
        c.event(pod, "Killing", "Stopping container server", first=5.5, last=5.5, kind="Normal")
        c.event(
            pod,
            "FailedKillPod",
            'error killing pod: failed to "KillContainer" for "server" with KillContainerError: '
            '"rpc error: code = DeadlineExceeded desc = context deadline exceeded"',
            last=5,
        )
        unready(c, pod, since=4.5)


@fault("currency crashes", "deployment/currency", ("file-permission-denied", "app-exits"))
def a_port_that_needs_rights(c: Cluster, *, sick: bool) -> None:
    env = [{"name": "PORT", "value": "80" if sick else "7000"}]
    for pod in replace(c, "currency", set_fields(env=env, securityContext={"runAsUser": 1000})):
        if sick:
            crash(c, pod, "listen tcp :80: bind: permission denied")
    if sick:
        callers_notice(c, "currency", REFUSED)


@fault(
    "the front page is very slow to come up after the release; deployment frontend",
    "deployment/frontend",
    ("crash-signature", "app-exits"),
)
def a_release_that_panics(c: Cluster, *, sick: bool) -> None:
    for pod in replace(c, "frontend", set_fields(image="registry.example.com/shop/frontend:v2.15.0")):
        if sick:
            crash(
                c,
                pod,
                "panic: runtime error: invalid memory address or nil pointer dereference",
                "[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x4f2]",
                "goroutine 1 [running]:",
                "main.(*server).warm(0x0)",
                code=2,
            )


@fault(
    "ads answers with errors for some users",
    "deployment/ads",
    ("errors-begin-here", "log-errors-new", "crash-signature"),
)
def a_feature_flag_that_breaks_requests(c: Cluster, *, sick: bool) -> None:
    for pod in c.pods_of("ads"):
        lines = ["ERROR GetAds Failed with status Status{code=UNAVAILABLE, description=null, cause=null}"] * 60
        c.log(pod, *(lines if sick else ["INFO Targeted ad request received for [binoculars]"] * 60), since=19)
    if sick:
        c.signal("service/shop/ads", "error_ratio", lambda minutes: 0.002 if minutes > 20 else 0.31)


@fault("job import in shop failed", "job/import", ("app-exits", "job-failed"))
def a_job_whose_program_fails(c: Cluster, *, sick: bool) -> None:
    template: Json = {
        "metadata": {"labels": {"app": "import"}},
        "spec": {
            "restartPolicy": "Never",
            "containers": [container("import", "registry.example.com/shop/import:v1", 80)],
        },
    }
    job = c.put(
        "Job",
        "shop",
        "import",
        age=30,
        spec={"backoffLimit": 2, "completions": 1, "parallelism": 1, "template": template},
        status={
            "succeeded": 1,
            "startTime": at(30),
            "completionTime": at(25),
            "conditions": [condition("Complete", status=True, changed=25)],
        },
    )
    if not sick:
        return
    said = "Job has reached the specified backoff limit"
    job["status"] = {
        "failed": 3,
        "startTime": at(30),
        "conditions": [condition("Failed", status=True, reason="BackoffLimitExceeded", message=said, changed=15)],
    }
    c.event(job, "BackoffLimitExceeded", said, last=15, source="job-controller")
    for number in range(3):
        pod = run(c, "shop", job, template, f"import-{number}x4kd", age=29 - 5 * number)
        pod["status"]["phase"] = "Failed"
        ended = {"exitCode": 1, "reason": "Error", "startedAt": at(28 - 5 * number), "finishedAt": at(27 - 5 * number)}
        status_of(pod).update({"ready": False, "started": False, "state": {"terminated": ended}})
        unready(c, pod, since=27 - 5 * number)
        c.log(pod, "ERROR cannot open s3://imports/latest.csv: AccessDenied", since=27 - 5 * number)


@fault("the job reindex was stopped", "job/reindex", "job-deadline-exceeded")
def a_job_that_takes_too_long(c: Cluster, *, sick: bool) -> None:
    seconds = 600 if sick else 7200
    job = c.put(
        "Job",
        "shop",
        "reindex",
        age=30,
        spec={"activeDeadlineSeconds": seconds, "backoffLimit": 6, "template": {"spec": {"containers": []}}},
        status={"active": 1, "startTime": at(30)},
    )
    if sick:
        said = "Job was active longer than specified deadline"
        job["status"] = {
            "failed": 1,
            "startTime": at(30),
            "conditions": [condition("Failed", status=True, reason="DeadlineExceeded", message=said)],
        }
        c.event(job, "DeadlineExceeded", said, last=20, source="job-controller")


@fault("cronjob cleanup in shop never runs", "cronjob/cleanup", "cronjob-schedule-invalid")
def a_schedule_for_a_day_that_never_comes(c: Cluster, *, sick: bool) -> None:
    c.put(
        "CronJob",
        "shop",
        "cleanup",
        spec={
            "schedule": "0 4 31 2 *" if sick else "0 4 28 2 *",
            "suspend": False,
            "concurrencyPolicy": "Allow",
            "jobTemplate": {"spec": {"template": {"spec": {"containers": []}}}},
        },
        status={},
    )


@fault("cronjob nightly-report has not run for days", "cronjob/nightly-report", "cronjob-missed")
def a_schedule_that_waits_for_a_run_that_hangs(c: Cluster, *, sick: bool) -> None:
    if not sick:
        return
    schedule = c.get("CronJob", "nightly-report")
    job = c.all("Job", "shop")[0]
    job["metadata"]["creationTimestamp"] = at(3 * 1440 + 570)
    job["status"] = {"active": 1, "ready": 1, "startTime": at(3 * 1440 + 570)}
    for each in c.all("Job", "shop")[1:]:
        c.drop("Job", each["metadata"]["name"])
    schedule["status"] = {
        "lastScheduleTime": at(570 + 3 * 1440),
        "active": [
            {"kind": "Job", "name": job["metadata"]["name"], "namespace": "shop", "uid": job["metadata"]["uid"]}
        ],
    }
    c.event(
        schedule,
        "JobAlreadyActive",
        "Not starting job because prior execution is running and concurrency policy is Forbid",
        kind="Normal",
        first=600,
        last=570,
        source="cronjob-controller",
    )
    for pod in c.pods_of("nightly-report"):
        if pod["metadata"]["ownerReferences"][0]["uid"] == job["metadata"]["uid"]:
            pod["status"]["phase"] = "Running"
            status_of(pod).update(
                {"ready": True, "started": True, "state": {"running": {"startedAt": at(3 * 1440 + 569)}}}
            )
        else:
            c.drop("Pod", pod["metadata"]["name"])


@fault(
    "new pods on worker-2 hang in ContainerCreating", ("node//worker-2", "deployment/catalog"), "sandbox-create-failed"
)
def addresses_that_are_used_up(c: Cluster, *, sick: bool) -> None:
    for pod in replace(c, "catalog", set_fields(restarted=2)):
        if sick and pod["spec"]["nodeName"] == "worker-2":
            creating(
                c,
                pod,
                "FailedCreatePodSandBox",
                "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network "
                'for sandbox "ab12": plugin type="host-local" failed (add): failed to allocate for range 0: no IP '
                "addresses "
                "available in range set: 10.244.2.1-10.244.2.254",
            )
