/* A program with Mono and the library linked into it, which runs code that was compiled ahead in full: the shape of an
 * app of iOS. ./host PROGRAM.exe ARGUMENTS */
#include <mono/jit/jit.h>
#include <mono/metadata/assembly.h>
#include <mono/metadata/mono-config.h>

#include <stdio.h>

int main(int argc, char **argv) {
    if (argc < 2) return fprintf(stderr, "usage: host PROGRAM.exe ARGUMENTS\n"), 2;
    /* Where Mono's own libraries are. */
    mono_config_parse(NULL);
    mono_jit_set_aot_mode(MONO_AOT_MODE_FULL);
    MonoDomain *domain = mono_jit_init(argv[1]);
    MonoAssembly *program = mono_domain_assembly_open(domain, argv[1]);
    if (program == NULL) return 3;
    int code = mono_jit_exec(domain, program, argc - 1, argv + 1);
    mono_jit_cleanup(domain);
    return code;
}
