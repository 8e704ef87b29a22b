/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "tools/run/qemu.h"

static struct run_options options(void) {
    return (struct run_options){
        .name = "out/hello", .arch = RUN_X86_64, .mem_mib = 256, .cpus = 2, .network = true, .record_fd = -1};
}

static struct run_boot boot = {.is = {.kind = BOOTABLE_KERNEL}, .path = "out/hello"};

/* The command as one line, made with `accel` and the command line "console=ttyS0". */
static void command(const struct run_options *o, const char *accel, struct buf *line) {
    AUTO_QEMU_COMMAND struct qemu_command q = {0};
    assert_int_equal(qemu_command(&q, o, &boot, accel, "console=ttyS0", NULL), 0);
    assert_null(q.words[q.len]);
    assert_int_equal(qemu_command_print(&q, line), 0);
}

static void names_the_three_files_and_the_machine(void **state) {
    (void)state;
    AUTO_BUF struct buf line = BUF_INIT;
    struct run_options o = options();
    command(&o, "tcg", &line);
    assert_int_equal(strncmp(line.data, "qemu-system-x86_64 -machine q35,accel=tcg -cpu max -smp 2 -m 256 ", 65), 0);
    assert_non_null(strstr(line.data, " -kernel out/hello-kernel -initrd out/hello-initrd.img -append console=ttyS0 "));
    assert_null(strstr(line.data, "virtio-serial"));
    assert_null(strstr(line.data, "-no-reboot"));
}

static void uses_the_hosts_cpu_with_kvm_only(void **state) {
    (void)state;
    AUTO_BUF struct buf line = BUF_INIT;
    struct run_options o = options();
    command(&o, "kvm", &line);
    assert_non_null(strstr(line.data, "accel=kvm -cpu host"));
    buf_reset(&line);
    o.arch = RUN_AARCH64;
    command(&o, "tcg", &line);
    assert_non_null(strstr(line.data, "qemu-system-aarch64 -machine virt,accel=tcg -cpu cortex-a57"));
}

static void adds_to_the_command_line_as_one_word(void **state) {
    (void)state;
    AUTO_BUF struct buf line = BUF_INIT;
    struct run_options o = options();
    o.cmdline_add = "x=it's quiet";
    command(&o, "tcg", &line);
    assert_non_null(strstr(line.data, " -append 'console=ttyS0 x=it'\\''s quiet' "));
}

static void a_cd_a_stick_a_disk_and_a_uki(void **state) {
    (void)state;
    AUTO_BUF struct buf line = BUF_INIT;
    struct run_options o = options();
    const struct run_boot kernel = boot;
    boot = (struct run_boot){.is = {.kind = BOOTABLE_ISO}, .path = "a.iso"};
    command(&o, "tcg", &line);
    assert_non_null(strstr(line.data, "media=cdrom,readonly=on,file=a.iso -device ide-cd,drive=boot,bootindex=0"));
    assert_null(strstr(line.data, "pflash"));
    assert_null(strstr(line.data, "-kernel"));
    buf_reset(&line);
    o.usb = true;
    command(&o, "tcg", &line);
    assert_non_null(strstr(line.data, "-device qemu-xhci "));
    assert_non_null(strstr(line.data, "-device usb-storage,drive=boot,bootindex=0"));
    buf_reset(&line);
    o.usb = false;
    boot = (struct run_boot){.is = {.kind = BOOTABLE_QCOW2},
                             .format = "qcow2",
                             .path = "a.qcow2",
                             .efi = true,
                             .firmware = "CODE",
                             .variables = "VARS"};
    command(&o, "tcg", &line);
    assert_non_null(strstr(line.data, "if=pflash,unit=0,format=raw,readonly=on,file=CODE"));
    assert_non_null(strstr(line.data, "if=pflash,unit=1,format=raw,snapshot=on,file=VARS"));
    assert_non_null(strstr(line.data, "format=qcow2,snapshot=on,file=a.qcow2 -device virtio-blk-pci,drive=boot"));
    buf_reset(&line);
    boot.is.kind = BOOTABLE_UKI;
    memcpy(boot.data_iso, "data.iso", sizeof("data.iso"));
    command(&o, "tcg", &line);
    assert_non_null(strstr(line.data, "-kernel a.qcow2 "));
    assert_null(strstr(line.data, "-initrd"));
    assert_non_null(strstr(line.data, "media=cdrom,readonly=on,file=data.iso -device scsi-cd,"));
    boot = kernel;
}

static void forwards_ports(void **state) {
    (void)state;
    AUTO_BUF struct buf line = BUF_INIT;
    struct run_options o = options();
    o.publish[0] = (struct run_publish){.host = 8080, .guest = 80};
    o.publish[1] = (struct run_publish){.address = "127.0.0.1", .host = 53, .guest = 5353, .udp = true};
    o.publish[2] = (struct run_publish){.address = "10.0.0.1", .host = 1, .guest = 2};
    o.publish_len = 3;
    command(&o, "tcg", &line);
    assert_non_null(strstr(line.data, "user,id=net0,hostfwd=tcp::8080-:80,hostfwd=udp:127.0.0.1:53-:5353,"
                                      "hostfwd=tcp:10.0.0.1:1-:2"));
    buf_reset(&line);
    o.network = false;
    command(&o, "tcg", &line);
    assert_null(strstr(line.data, "net"));
}

static void doubles_commas_in_file_names(void **state) {
    (void)state;
    AUTO_BUF struct buf line = BUF_INIT;
    struct run_options o = options();
    o.disks[0] = (struct run_disk){.path = "a:,b.img", .format = "raw"};
    o.disks_len = 1;
    o.channels[0] = (struct run_channel){.name = "test.0", .path = "s,1"};
    o.channels_len = 1;
    o.devices[0] = "usb-tablet";
    o.devices_len = 1;
    o.no_reboot = true;
    command(&o, "tcg", &line);
    assert_non_null(
        strstr(line.data, "if=none,id=disk0,format=raw,file=./a:,,b.img -device virtio-blk-pci,drive=disk0"));
    assert_non_null(strstr(line.data, "-device virtio-serial-pci -chardev socket,id=channel0,path=s,,1,server=on"));
    assert_non_null(strstr(line.data, "virtserialport,chardev=channel0,name=test.0"));
    assert_non_null(strstr(line.data, "-device usb-tablet -no-reboot\n"));
}

static void folders_are_shared_over_the_guests_memory(void **state) {
    struct run_options o = options();
    AUTO_BUF struct buf line = BUF_INIT, without = BUF_INIT;
    (void)state;
    command(&o, "tcg", &without);
    assert_null(strstr(without.data, "memory-backend"));
    o.shares[1] = (struct run_share){.dir = "b", .socket = "t,1"};
    o.shares_len = 2;
    command(&o, "tcg", &line);
    assert_non_null(strstr(line.data, "-machine q35,accel=tcg,memory-backend=ram "));
    assert_non_null(strstr(line.data, "-object memory-backend-memfd,id=ram,share=on,size=256M "));
    assert_non_null(strstr(line.data, "-device vhost-user-fs-pci,chardev=share0,tag=virtiofs0 "
                                      "-chardev socket,id=share1,path=t,,1 "
                                      "-device vhost-user-fs-pci,chardev=share1,tag=virtiofs1"));
}

static void has_room_for_the_most_options(void **state) {
    (void)state;
    struct run_options o = options();
    o.disks_len = RUN_DISKS_MAX;
    o.channels_len = RUN_CHANNELS_MAX;
    o.devices_len = RUN_DEVICES_MAX;
    o.publish_len = RUN_PUBLISH_MAX;
    o.shares_len = RUN_SHARES_MAX;
    for (size_t i = 0; i < RUN_DEVICES_MAX; i++)
        o.devices[i] = "x";
    AUTO_BUF struct buf line = BUF_INIT;
    command(&o, "tcg", &line);
}

static void the_guest_has_a_port_for_its_record(void **state) {
    struct run_options o = options();
    AUTO_BUF struct buf line = BUF_INIT;
    (void)state;
    o.record_fd = 7;
    command(&o, "tcg", &line);
    assert_non_null(strstr(line.data, "-device virtio-serial-pci -chardev socket,id=record,fd=7 -device "
                                      "virtserialport,chardev=record,name=org.keelson.record"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_the_three_files_and_the_machine),
        cmocka_unit_test(uses_the_hosts_cpu_with_kvm_only),
        cmocka_unit_test(adds_to_the_command_line_as_one_word),
        cmocka_unit_test(forwards_ports),
        cmocka_unit_test(a_cd_a_stick_a_disk_and_a_uki),
        cmocka_unit_test(doubles_commas_in_file_names),
        cmocka_unit_test(folders_are_shared_over_the_guests_memory),
        cmocka_unit_test(has_room_for_the_most_options),
        cmocka_unit_test(the_guest_has_a_port_for_its_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
