/* The link shape of iOS: the library is part of the program that embeds the runtime, which makes no code at run time.
   Usage: host TurboHttp.Tests.exe URL [NAME] */
#include <mono/jit/jit.h>
#include <mono/metadata/assembly.h>
#include <mono/metadata/mono-config.h>
#include <stdio.h>

/* Mono looks the functions up in the program: naming one keeps the archive in the link. */
extern unsigned int th_abi_version(void);

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: host TurboHttp.Tests.exe URL [NAME]\n");
        return 2;
    }
    if (th_abi_version() == 0) {
        return 2;
    }
    mono_config_parse(NULL);
    mono_jit_set_aot_mode(MONO_AOT_MODE_FULL);
    MonoDomain *domain = mono_jit_init_version("turbohttp", "v4.0.30319");
    MonoAssembly *assembly = mono_domain_assembly_open(domain, argv[1]);
    if (assembly == NULL) {
        fprintf(stderr, "cannot open %s\n", argv[1]);
        return 2;
    }
    return mono_jit_exec(domain, assembly, argc - 1, argv + 1);
}
